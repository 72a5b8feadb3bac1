"""From a reply to a choice: reading replies, one by one and in whole cells."""
