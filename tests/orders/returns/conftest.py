"""A house whose goods come back."""

from __future__ import annotations

from tests.orders.refunding.conftest import house

__all__ = ["house"]
