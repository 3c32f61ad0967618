"""A definition that start-up must refuse."""
