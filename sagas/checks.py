"""Start-up checks: a definition that cannot be finished stops the process, not the order."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from sagas.definition import check, definitions


@register("sagas")
def check_definitions(**_: Any) -> list[CheckMessage]:
    """One error per problem of each registered definition."""
    return [
        Error(f"{d.name} version {d.version} {problem}.", id="sagas.E001")
        for d in definitions()
        for problem in check(d)
    ]
