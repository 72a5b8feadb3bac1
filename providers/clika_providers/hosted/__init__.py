"""Models behind HTTP: what is sent, and how what comes back is understood."""
