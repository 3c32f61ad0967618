"""Start-up: import an app's parts, and check all definitions once every app is loaded."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

PARTS = ("contract", "people", "steps", "definitions", "receivers", "follower", "loops", "tasks")


def load_app_modules(app: str) -> None:
    """Import the parts of `app` that register something. Missing parts are fine; a broken one is an error."""
    for part in PARTS:
        name = f"{app}.{part}"
        if find_spec(name) is not None:
            import_module(name)
