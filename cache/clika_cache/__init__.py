"""clika_cache: completions kept in SQLite; a provider that asks another only once."""
