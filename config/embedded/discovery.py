"""How a process outside an embedded run finds the services of that run, or learns that nothing runs."""

from __future__ import annotations

import os

from config.embedded.state import State


def is_embedded() -> bool:
    """True when no DATABASE_URL overrides the embedded database."""
    return not os.environ.get("DATABASE_URL")


def why_unreachable() -> str:
    """A sentence for the person at the terminal when the embedded database is not there, else empty."""
    state = State.current()
    if not is_embedded() or (state.postgres_socket / ".s.PGSQL.5432").exists():
        return ""
    return f"Nothing is running on {state.root}. Start it with `make up`, or set DATABASE_URL."
