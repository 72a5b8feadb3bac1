"""The prompt styles that come with the tool, and the user's own templates."""
