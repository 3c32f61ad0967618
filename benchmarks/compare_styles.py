"""`make compare-styles`: one fulfilment in both styles, measured in turns on one running system.

Every figure comes from this run, on services of its own. Figures of one run may be compared with one another; with
those of another machine or day only their ratios. Ends with 1 if the audit finds anything.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine, source, stand

STYLES = ("orchestration", "choreography")


def main() -> int:
    """Measure, print the table, keep the figures."""
    wanted = _arguments()
    with stand.own_folder() as folder:
        state = stand.begin(folder)
        with stand.own_system(state) as stack:
            from benchmarks.course import Course

            course = Course.open(stack, wanted.orders, wanted.repeats, wanted.alone, say=_say)
            measured = course.run()
            clean = course.audit()
            facts = machine.facts()
    counted = {style: source.counted(style) for style in STYLES}
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "wanted": vars(wanted) | {"out": None},
        "machine": facts, "source": counted, "measured": measured, "audit_clean": clean,
    }  # fmt: skip
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    wanted.out.write_text(json.dumps(found, indent=2) + "\n")
    _say(table(counted, measured))
    _say(
        f"{json.dumps(facts)}\nThe figures: {wanted.out}. The audit found {'nothing' if clean else 'SOMETHING'}."
    )
    return 0 if clean else 1


def table(counted: Mapping[str, Mapping[str, Any]], measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Everything as Markdown, a column for each style."""
    lines = ["| | orchestration | choreography |", "|---|---|---|"]
    for part in (counted, measured):
        for name in part[STYLES[0]]:
            cells = [_words(part[style][name]) for style in STYLES]
            lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _words(value: Any) -> str:
    match value:
        case float():
            return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.0f}"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return " / ".join(map(_words, value))
        case dict():
            return ", ".join(f"{k} {_words(v)}" for k, v in value.items())
    return str(value)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=2_000, help="orders of one load")
    parser.add_argument("--repeats", type=int, default=3, help="loads of each kind and style")
    parser.add_argument("--alone", type=int, default=100, help="orders sent one after the other")
    parser.add_argument("--out", type=Path, default=Path(".waybill/compare-styles.json"))
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
