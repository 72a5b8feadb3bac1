"""From answers to figures: loading, intervals, records, comparisons."""
