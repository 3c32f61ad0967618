"""The full order flow on the real apps, beside what bounds it: the same rows by hand, the same calls by hand."""
