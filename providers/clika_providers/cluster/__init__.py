"""Models asked on many machines through Ray; nothing of it is imported before a cluster is named."""
