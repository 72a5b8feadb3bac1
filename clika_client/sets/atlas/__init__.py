"""`atlas`: the built-in probe set of plain world knowledge, generated from Unicode CLDR and frozen as data."""

from __future__ import annotations

from clika_client.sets.atlas.frozen import languages, load
from clika_client.sets.atlas.row import cyclic_orders
from clika_client.sets.atlas.wording import LANGUAGES_FIRST, RELATIONS

__all__ = ["LANGUAGES_FIRST", "RELATIONS", "cyclic_orders", "languages", "load"]
