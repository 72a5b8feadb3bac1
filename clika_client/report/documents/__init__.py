"""Scores as documents: tables as papers print them, in Markdown and LaTeX, and what to cite."""
