"""What a reader sees: terminal tables, CSV, documents and figures made from Scores."""
