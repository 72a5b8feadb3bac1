"""What every room uses: errors, paths, languages, safe text, codes of answers."""
