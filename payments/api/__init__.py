"""Payments as shops see them."""
