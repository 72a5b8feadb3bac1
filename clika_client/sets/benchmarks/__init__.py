"""Public parallel benchmarks by name: what their files look like, how they are joined, where they come from."""
