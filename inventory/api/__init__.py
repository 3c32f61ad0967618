"""Stock as shops move and see it."""
