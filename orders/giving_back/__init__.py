"""Giving back after the capture: cancellations before the hand-over, returns after it, and credit notes."""
