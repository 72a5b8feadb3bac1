"""What is kept beside the completions: sets, runs, cells, and the rows that join them."""
