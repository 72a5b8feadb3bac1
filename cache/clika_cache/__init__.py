"""clika_cache: completions kept in SQLite; a provider that asks another only once."""

from clika_cache import archive, foreign
from clika_cache.completions import StoredAttempt, StoredReply, entry_for
from clika_cache.database import Database
from clika_cache.errors import CacheError
from clika_cache.keys import KEY_BYTES, KeyMaker, canonical, prompt_hash, prompt_text
from clika_cache.provider import CachedProvider
from clika_cache.schema import Migration
from clika_cache.writer import Writer

__all__ = [
    "KEY_BYTES",
    "CacheError",
    "CachedProvider",
    "Database",
    "KeyMaker",
    "Migration",
    "StoredAttempt",
    "StoredReply",
    "Writer",
    "archive",
    "canonical",
    "entry_for",
    "foreign",
    "prompt_hash",
    "prompt_text",
]
