"""docs/events: a schema of every version of every event, an AsyncAPI description and a page to read.

All of it is written from the contracts, the golden files and the subscriptions, and kept equal to them.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from config.embedded.state import BASE_DIR
from config.events import asyncapi, golden, page
from config.events.compatibility import GOLDEN, broken, unreadable, withdrawn
from config.events.schemas import Schema, published, schema_of
from sagas.events import Event, upcaster_versions

FOLDER = BASE_DIR / "docs" / "events"


@dataclass(frozen=True)
class Catalogue:
    """The catalogue as the code has it, beside the one that was committed."""

    folder: Path = FOLDER
    golden_folder: Path = golden.FOLDER
    events: dict[str, type[Event]] = field(default_factory=published)

    # --- what there is ------------------------------------------------------------------------------

    @cached_property
    def committed(self) -> dict[tuple[str, int], Schema]:
        """The schemas in the folder, by event and version."""
        files = sorted(self.folder.glob("*.v*.json"))
        return {_key(file): json.loads(file.read_text(encoding="utf-8")) for file in files}

    @cached_property
    def present(self) -> dict[tuple[str, int], Schema]:
        """The schemas of the present versions, each with its golden file as the example."""
        return {(name, cls.schema_version): self._present(cls) for name, cls in self.events.items()}

    @cached_property
    def schemas(self) -> dict[tuple[str, int], Schema]:
        """Every version: older ones as they were committed, present ones from the code."""
        older = {key: s for key, s in self.committed.items() if key[0] in self.events}
        return dict(sorted((older | self.present).items()))

    def files(self) -> dict[str, str]:
        """What the folder should hold: name and content."""
        found = {f"{name}.v{version}.json": _text(s) for (name, version), s in self.schemas.items()}
        described = asyncapi.description(self.events, self.schemas)
        return found | {"asyncapi.yaml": asyncapi.text(described), "README.md": page.text(self.schemas)}

    # --- what is wrong ------------------------------------------------------------------------------

    def breaches(self) -> list[str]:
        """What breaks a promise that was made. Nothing may be written before it is mended."""
        return [*self._withdrawn(), *self._unreadable(), *self._broken(), *self._golden()]

    def drift(self) -> str:
        """The difference between the folder and the code; empty if there is none."""
        wanted = self.files()
        there = {file.name for file in self.folder.glob("*") if file.is_file()}
        return "".join(self._difference(name, wanted.get(name, "")) for name in sorted({*wanted} | there))

    def write(self) -> list[str]:
        """Bring the folder up to date and tell which files changed. Only for a catalogue without breaches."""
        wanted = self.files()
        changed = [name for name, text in wanted.items() if self._there(name) != text]
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in changed:
            (self.folder / name).write_text(wanted[name], encoding="utf-8")
        return changed

    # --- the parts ----------------------------------------------------------------------------------

    def _present(self, cls: type[Event]) -> Schema:
        schema = schema_of(cls)
        file = golden.files_of(cls.type, self.golden_folder).get(cls.schema_version)
        if file is None:
            return schema
        return schema | {"examples": [golden.Golden.read(file).data], GOLDEN: golden.digest(file)}

    def _withdrawn(self) -> list[str]:
        return withdrawn((name for name, _ in self.committed), self.events)

    def _unreadable(self) -> Iterator[str]:
        for name, cls in self.events.items():
            yield from unreadable(
                name,
                cls.schema_version,
                schemas=[version for event, version in self.committed if event == name],
                golden=golden.files_of(name, self.golden_folder),
                upcasters=upcaster_versions(name),
            )

    def _broken(self) -> Iterator[str]:
        for (name, version), before in self.committed.items():
            if (name, version) in self.present:
                found = broken(before, self.present[name, version])
                yield from (f"{name} version {version}: {what}" for what in found)

    def _golden(self) -> Iterator[str]:
        for name, cls in self.events.items():
            yield from golden.misread(cls, self.golden_folder)
            for version, file in golden.files_of(name, self.golden_folder).items():
                schema = self.schemas.get((name, version))
                if schema is None:
                    continue
                if version < cls.schema_version and schema.get(GOLDEN) != golden.digest(file):
                    yield f"{name} version {version}: its golden file was changed"
                for error in invalid(schema, golden.Golden.read(file).data):
                    yield f"{name} version {version}: its golden file does not conform: {error}"

    def _there(self, name: str) -> str:
        file = self.folder / name
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def _difference(self, name: str, wanted: str) -> str:
        before, after = (text.splitlines(keepends=True) for text in (self._there(name), wanted))
        return "".join(difflib.unified_diff(before, after, f"docs/events/{name}", "the code"))


def invalid(schema: Schema, data: Any) -> list[str]:
    """Where stored data do not conform to a schema."""
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data)]


def _key(file: Path) -> tuple[str, int]:
    name, _, version = file.stem.rpartition(".v")
    return name, int(version)


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
