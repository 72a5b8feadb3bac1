"""`fictional`: invented places on invented continents, in every language of atlas, generated from a seed."""

from clika_client.sets.fictional.facts import Fact, World, load, make_world, probe_set
from clika_client.sets.fictional.language import Language, languages, read

__all__ = ["Fact", "Language", "World", "languages", "load", "make_world", "probe_set", "read"]
