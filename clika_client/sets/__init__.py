"""Where probe sets come from: the built-in ones, the authors' release, and the user's own files."""
