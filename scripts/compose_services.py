"""What docker-compose.yml would run, as commands of this machine."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from config.embedded.state import BASE_DIR

#: `${NAME:-default}`, `${NAME:?message}` and `${NAME}`.
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """One service of ours: not an image from elsewhere."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def is_worker(self) -> bool:
        return self.environment.get("WAYBILL_ROLE") == "worker"


def compose() -> dict[str, Any]:
    """The file as YAML gives it."""
    content: dict[str, Any] = yaml.safe_load((BASE_DIR / "docker-compose.yml").read_text())
    return content


def our_services(values: Mapping[str, str]) -> list[Service]:
    """Our services in the order of the file, with its variables filled from `values`."""
    return [
        Service(
            name=name,
            command=tuple(_fill(word, values) for word in service["command"]),
            environment={key: _fill(str(value), values) for key, value in service["environment"].items()},
        )
        for name, service in compose()["services"].items()
        if "build" in service
    ]


def _fill(text: str, values: Mapping[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        value = values.get(found["name"], "")
        if value or found["kind"] is None:
            return value
        if found["kind"] == "?":
            raise LookupError(f"{found['name']}: {found['rest']}")
        return found["rest"]

    return VARIABLE.sub(replace, text)


def on_this_machine(
    service: Service, *, replacing: Mapping[str, str], environment: Mapping[str, str]
) -> Service:
    """The same service with the containers' addresses replaced and the given variables set."""

    def here(text: str) -> str:
        for inside, outside in replacing.items():
            text = text.replace(inside, outside)
        return text

    return Service(
        name=service.name,
        command=tuple(here(word) for word in service.command),
        environment={key: here(value) for key, value in service.environment.items()} | dict(environment),
    )


def venv_path() -> str:
    """PATH with the virtual environment first, as the image has it."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
