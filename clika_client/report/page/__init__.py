"""The page that leads from the verdict to every question: one file, no request, made from scores and stored replies."""
