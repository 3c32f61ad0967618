"""Parcels of an order."""
