"""Styles of a terminal's text that can be read on a dark and on a light ground alike: 4.5:1 on black and white."""

from __future__ import annotations

FAINT = "grey46"
"""What stands beside the figures. Rich's own `dim` is half the contrast of the terminal's text, too little on white."""
GOOD = "royal_blue1"
WARNING = "bold"
"""No red or yellow of a terminal's palette has 4.5:1 on both grounds; the word says what is wrong."""
