"""How the demo model was made: its corpus, its tokenizer, its training, its export."""
