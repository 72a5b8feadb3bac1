"""The paper's metrics and those that stand beside them, as pure functions over arrays of answers.

An answer is an int8: the index of the chosen choice, NO_ANSWER for a reply that names none, MISSING where
there is no reply. Items lie on the last axis; leading axes (languages, models) broadcast. A value that is
undefined is NaN in an array and becomes null where records are made.
"""

from clika_client.common.answer_codes import MISSING, NO_ANSWER

__all__ = ["MISSING", "NO_ANSWER"]
