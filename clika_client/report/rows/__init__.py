"""A database as flat rows for other tools: replies, items, scores and runs, with the same columns in every format."""
