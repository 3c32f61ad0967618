"""The admin shows and asks; the operator commands act. Nothing is added, changed or deleted here."""

from sagas.admin import parked, saga

__all__ = ["parked", "saga"]
