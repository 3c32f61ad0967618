"""Fixtures of the read side's tests: a whole shop in business, whose events are real."""

from __future__ import annotations

from tests.scenarios.conftest import house

__all__ = ["house"]
