"""Sagas as shops see them."""
