"""What may change about a published event: rules over schemas, without files and without a database.

The committed schema of a version is the promise. A version keeps its fields and their types for good; what has to
change becomes a new version with an upcaster from the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

#: Words about a schema, which may be said better at any time.
PROSE = {"$schema", "title", "description", "examples"}
#: The digest of the golden file that stands for a version.
GOLDEN = "x-golden-sha256"


def broken(before: Schema, after: Schema, where: str = "") -> list[str]:
    """What a reader of `before` can no longer rely on in `after`: the same version, then and now."""
    return list(_broken(before, after, where))


def unreadable(
    event: str, present: int, *, schemas: Iterable[int], golden: Iterable[int], upcasters: Iterable[int]
) -> list[str]:
    """What is missing for every version of an event up to `present` to be read and proven.

    Given are the versions that have a schema file, a golden file, and an upcaster to the next one.
    """
    return list(_unreadable(event, present, set(schemas), set(golden), set(upcasters)))


def withdrawn(committed: Iterable[str], known: Iterable[str]) -> list[str]:
    """Events that were published and that this code does not know: what was written must stay readable."""
    return [
        f"{event} was published, and no code reads it any more" for event in sorted({*committed} - {*known})
    ]


def _broken(before: Schema, after: Schema, where: str) -> Iterator[str]:
    old, new = before.get("properties"), after.get("properties")
    if old is None or new is None:
        yield from _retyped(before, after, where)
        return
    for name in old:
        at = f"{where}{name}"
        if name not in new:
            yield f"{at} was removed"
        else:
            yield from _broken(old[name], new[name], f"{at}.")
    yield from _bound(before, after, where)
    if GOLDEN in before and before[GOLDEN] != after.get(GOLDEN):
        yield "its golden file was changed"


def _bound(before: Schema, after: Schema, where: str) -> Iterator[str]:
    was, now = before.get("required", ()), after.get("required", ())
    for name in now:
        if name not in was:
            what = "became required" if name in before["properties"] else "was added as required"
            yield f"{where}{name} {what}"
    for name in was:
        if name not in now and name in after["properties"]:
            yield f"{where}{name} became optional"
    if _type(before) != _type(after):
        yield f"{where.rstrip('.')} was {_type(before)} and is {_type(after)}"


def _retyped(before: Schema, after: Schema, where: str) -> Iterator[str]:
    if "items" in before and "items" in after:
        yield from _broken(before["items"], after["items"], f"{where.rstrip('.')}[].")
        before, after = ({k: v for k, v in schema.items() if k != "items"} for schema in (before, after))
    if _type(before) != _type(after):
        yield f"{where.rstrip('.')} was {_type(before)} and is {_type(after)}"


def _type(schema: Schema) -> dict[str, Any]:
    beside = PROSE | {"properties", "required", GOLDEN}
    return {word: value for word, value in schema.items() if word not in beside}


def _unreadable(
    event: str, present: int, schemas: set[int], golden: set[int], upcasters: set[int]
) -> Iterator[str]:
    for version in range(1, present + 1):
        if version not in golden:
            yield f"{event} has no golden file of version {version}: manage.py golden_event {event}"
        if version < present and version not in schemas:
            yield f"{event} has lost the schema of version {version}"
        if version < present and version not in upcasters:
            yield f"{event} has no upcaster from version {version}"
    for version in sorted((schemas | golden) - set(range(1, present + 1))):
        yield f"{event} is at version {present}, but version {version} was published"
