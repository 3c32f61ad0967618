"""Orders as shops send and see them."""
