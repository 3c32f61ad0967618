"""Golden files: for every version of every event ever written, one stored form, and what it is read as.

A file is written once and never changed; its digest stands in the schema of its version. The file of a new version
also says what the data of each older file becomes in it, so one more file is all that a new version needs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.embedded.state import BASE_DIR
from sagas.events import Event, load

FOLDER = BASE_DIR / "tests" / "golden" / "events"


class AlreadyThere(FileExistsError):
    """A golden file is frozen. Another form is another version."""


@dataclass(frozen=True)
class Golden:
    """`data` as it was stored; `becomes`, by version, the data of each golden file as this version reads it."""

    event: str
    version: int
    data: dict[str, Any]
    becomes: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, file: Path) -> Golden:
        """Read a file."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def text(self) -> str:
        """The file's content."""
        return json.dumps(vars(self), indent=2, ensure_ascii=False) + "\n"


def file_of(event: str, version: int, folder: Path | None = None) -> Path:
    """Where the golden file of a version is, or belongs."""
    app, _, name = event.partition(".")
    return (folder or FOLDER) / app / f"{name}.v{version}.json"


def files_of(event: str, folder: Path | None = None) -> dict[int, Path]:
    """The golden files of an event by version."""
    app, _, name = event.partition(".")
    found = {}
    for file in (folder or FOLDER).glob(f"{app}/{name}.v*.json"):
        if match := re.fullmatch(rf"{name}\.v(\d+)\.json", file.name):
            found[int(match[1])] = file
    return dict(sorted(found.items()))


def digest(file: Path) -> str:
    """What tells a golden file that was changed."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def misread(cls: type[Event], folder: Path | None = None) -> list[str]:
    """Golden files of an event that this code reads as something else than they say, or cannot read."""
    files = files_of(cls.type, folder)
    if cls.schema_version not in files:
        return []  # told by compatibility.unreadable
    newest = Golden.read(files[cls.schema_version])
    told = [_misread(cls, Golden.read(file), newest) for v, file in files.items() if v <= cls.schema_version]
    return [problem for problem in told if problem]


def write(cls: type[Event], changes: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Write the golden file of an event's present version and tell where. Raises AlreadyThere.

    Its data are those of the version before, brought up, with `changes`; of a first version, `changes` alone.
    """
    file = file_of(cls.type, cls.schema_version, folder)
    if file.exists():
        raise AlreadyThere(f"{file.name} is there, and frozen.")
    older = [Golden.read(f) for v, f in files_of(cls.type, folder).items() if v < cls.schema_version]
    becomes = {str(g.version): _loaded(cls, g.version, g.data) for g in older}
    base = next(reversed(becomes.values()), {})
    data = cls.from_data(base | dict(changes)).to_data()
    golden = Golden(cls.type, cls.schema_version, data, becomes | {str(cls.schema_version): data})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(golden.text(), encoding="utf-8")
    return file


def _loaded(cls: type[Event], version: int, data: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(load(cls.type, version, data).to_data()))  # type: ignore[no-any-return]


def _misread(cls: type[Event], golden: Golden, newest: Golden) -> str:
    name = f"{cls.type} version {golden.version}"
    expected = newest.becomes.get(str(golden.version))
    if expected is None:
        return f"{name}: the golden file of version {newest.version} does not say what it becomes"
    try:
        found = _loaded(cls, golden.version, golden.data)
        # A field that the version has gained since has its default in both.
        promised = expected | _loaded(cls, cls.schema_version, expected)
    except (KeyError, TypeError, ValueError) as error:
        return f"{name} cannot be read: {error!r}"
    wrong = {key for key in {*found, *promised} if found.get(key, ...) != promised.get(key, ...)}
    return f"{name} is read with another {', '.join(sorted(wrong))}" if wrong else ""
