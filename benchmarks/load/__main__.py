"""`make load`: orders over HTTP into the whole running system, at a rate, until they are confirmed.

Looks for the highest rate that is held, holds it for MINUTES, and measures intake alone, at a bare view and in bulk.
Ends with 1 if the audit finds anything or no rate was held.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine, stand


def main() -> int:
    """Measure, write it down, say whether it is well."""
    given = _arguments()
    with stand.own_folder() as folder:
        state = stand.begin(folder)
        from benchmarks.load import report
        from benchmarks.load.course import Course, Wanted
        from benchmarks.load.shop import Shop
        from benchmarks.load.system import own_system

        wanted = Wanted(
            minutes=given.minutes, rate=given.rate, step_seconds=given.step_seconds,
            intake_orders=given.intake_orders, intake_rounds=given.intake_rounds,
        )  # fmt: skip
        with own_system(state, workers=given.workers) as stack:
            course = Course(stack, Shop.open(), wanted, _say)
            course.run()
            clean, facts = course.audit(), machine.facts()
        found = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": facts,
            "wanted": vars(given) | {"out": str(given.out)}, **course.found(), "audit_clean": clean,
        }  # fmt: skip
        text = report.page(course, facts, clean=clean)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    given.out.with_suffix(".md").write_text(text)
    _say(f"\n{text}\nThe figures: {given.out.with_suffix('.json')}")
    return 0 if clean and course.good else 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long the rate is held")
    parser.add_argument(
        "--rate", type=float, help="orders a second; else the highest that is held is looked for"
    )
    parser.add_argument(
        "--step-seconds", type=float, default=30, help="how long a rate is tried in the search"
    )
    parser.add_argument("--intake-orders", type=int, default=1_000, help="orders of one round of intake")
    parser.add_argument("--intake-rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="Celery workers, two processes each")
    parser.add_argument("--out", type=Path, default=Path(".waybill/load"))
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
