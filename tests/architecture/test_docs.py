"""What the documents name exists: files, variables, loops, commands, events and steps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from config.audit import checks
from config.embedded.state import BASE_DIR
from sagas import events
from sagas.bus import subscriptions
from sagas.definition import definitions
from sagas.inbox.reader import reader_names
from sagas.inbox.sources import source_names
from sagas.loops import all_loops
from sagas.steps import all_steps

PAGES = sorted(
    [BASE_DIR / "README.md", BASE_DIR / "samples" / "README.md", *(BASE_DIR / "docs").rglob("*.md")]
)
APPS = ("config", "sagas", "orders", "payments", "inventory", "shipping")
NAMES = "|".join(APPS)
#: Set by our own starters for their children, or by tests: nobody configures them.
INTERNAL = {
    "DJANGO_SETTINGS_MODULE",
    "PROMETHEUS_MULTIPROC_DIR",
    "WAYBILL_CRASH_MARKER",
    "WAYBILL_CRASH_POINT",
    "WAYBILL_READY_FILE",
    "WAYBILL_STAFF_PASSWORD",
}
READS = re.compile(r'(?:env\.\w+|environ\.get|environ)[(\[]\s*"([A-Z][A-Z_]+)"')


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def dead_links(page: Path) -> list[str]:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text_of(page))
    return [link for link in links if "://" not in link and not (page.parent / link).exists()]


def dead_paths(page: Path) -> list[str]:
    paths = re.findall(rf"`((?:{NAMES}|tests|docs|scripts|samples)/[\w/.*-]+)`", text_of(page))
    return [path for path in paths if not list(BASE_DIR.glob(path.rstrip("/")))]


def known_names() -> set[str]:
    """Everything that is called `app.something` and is not a module."""
    found = set(events.event_classes()) | set(all_steps())
    found |= {d.name for d in definitions()} | {loop.name for loop in all_loops()}
    found |= {*reader_names(), *source_names()}
    return found | {sub.name for sub in subscriptions()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(BASE_DIR)))
def test_what_a_page_points_to_exists(page: Path) -> None:
    assert dead_links(page) == []
    assert dead_paths(page) == []


def test_a_dead_link_and_a_dead_path_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[here](gone.md), [there](page.md#x), `sagas/nowhere.py`, `sagas/log.py`")

    assert dead_links(page) == ["gone.md"]
    assert dead_paths(page) == ["sagas/nowhere.py"]


def test_every_variable_that_is_read_is_in_the_readme() -> None:
    sources = [file for app in APPS for file in (BASE_DIR / app).rglob("*.py")]
    read = {name for file in sources for name in READS.findall(file.read_text())} - INTERNAL
    told = set(re.findall(r"`([A-Z][A-Z_]+)`", text_of(BASE_DIR / "README.md")))

    assert {"DATABASE_URL", "WAYBILL_LEASE_SECONDS", "SENTRY_DSN"} <= read
    assert sorted(read - told) == []


def test_every_loop_is_in_the_operations_page_with_its_pace() -> None:
    page = text_of(BASE_DIR / "docs" / "operations.md")

    assert [loop.name for loop in all_loops() if f"| `{loop.name}` | {loop.every:g} s |" not in page] == []


def test_every_verb_of_the_operators_command_is_in_the_operations_page() -> None:
    page = text_of(BASE_DIR / "docs" / "operations.md")
    parser = load_command_class("sagas", "sagas").create_parser("manage.py", "sagas")
    verbs = re.findall(r"^    ([a-z][a-z-]+)  ", parser.format_help(), re.MULTILINE)

    assert {"list", "retry", "redeliver"} <= set(verbs)
    assert [verb for verb in verbs if not re.search(rf"[`, ](sagas )?{verb}\b", page)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(BASE_DIR)))
def test_every_event_step_and_definition_a_page_names_exists(page: Path) -> None:
    known = known_names()
    codes = set(re.findall(r'"((?:orders|payments|inventory|shipping|sagas|api)\.\w+)"', all_code()))

    named = re.findall(r"`((?:orders|payments|inventory|shipping)\.\w+)`", text_of(page))

    assert [name for name in named if name not in known | codes] == []


def all_code() -> str:
    return "\n".join(file.read_text() for app in APPS for file in (BASE_DIR / app).rglob("*.py"))


def test_every_command_a_page_tells_of_exists() -> None:
    told = set(re.findall(r"manage\.py (\w+)", "\n".join(map(text_of, PAGES))))

    assert {"audit", "import_orders", "after_restore"} <= told
    assert sorted(told - set(get_commands())) == []


def test_the_audit_lines_the_readme_shows_are_the_audits() -> None:
    shown = re.findall(r"^  (I\d+) +ok +(.+)$", text_of(BASE_DIR / "README.md"), re.MULTILINE)
    promised = {(check.invariant, check.promise) for check in checks()}

    assert len(shown) == 3
    assert [line for line in shown if line not in promised] == []


def test_every_metric_a_page_names_is_kept() -> None:
    page = text_of(BASE_DIR / "docs" / "operations.md")

    named = set(re.findall(r"`(waybill_\w+)`", page))

    assert len(named) > 10
    assert sorted(name for name in named if f'"{name}"' not in all_code()) == []


SCENARIOS = BASE_DIR / "docs" / "failure-scenarios.md"


def test_every_test_that_proves_a_failure_scenario_exists_and_has_its_number() -> None:
    defined = set(
        re.findall(r"def (test_f\d\d_\w+)", "".join(map(text_of, (BASE_DIR / "tests").rglob("*.py"))))
    )
    rows = re.findall(r"^\| (F\d\d) \|.*\| ([^|]+) \|$", text_of(SCENARIOS), re.MULTILINE)
    named = {number: re.findall(r"`(test_\w+)`", cell) for number, cell in rows}

    assert [n for n, tests in named.items() if not tests] == []
    assert [t for tests in named.values() for t in tests if t not in defined] == []
    assert [t for n, tests in named.items() for t in tests if f"{n.lower()}_" not in t] == []


def test_the_scenarios_of_orders_payments_and_stock_are_all_there() -> None:
    wanted = [*range(1, 10), 11, *range(12, 26), *range(28, 35), *range(36, 42)]
    told = {int(n) for n in re.findall(r"^\| F(\d\d) \|", text_of(SCENARIOS), re.MULTILINE)}

    assert [f"F{n:02}" for n in wanted if n not in told] == []
