"""How a run of the side-by-side benchmark is judged, written up and drawn."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.side_by_side import charts, report
from benchmarks.side_by_side.figures import ALONE, FAILING, HAPPY, Entry, Found, Measured, percentiles
from benchmarks.side_by_side.targets import best_peer, targets

SVG = "{http://www.w3.org/2000/svg}"

#: Throughput, the same with failing orders, p50, p99, processor time.
FIGURES: dict[str, tuple[float, ...]] = {
    "waybill": (3_000.0, 2_400.0, 8.0, 12.0, 0.6),
    "dbos": (60.0, 50.0, 45.0, 60.0, 27.0),
    "absurd": (200.0, 150.0, 19.0, 27.0, 9.0),
    "canvas": (900.0, 70.0, 5.0, 6.0, 20.0),
    "set-based-100": (6_000.0, 5_000.0, 5.0, 7.0, 0.3),
}


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentiles(range(1, 101), 50, 95, 99) == [50, 95, 99]
    assert percentiles([7.0], 50, 99) == [7.0, 7.0]
    assert percentiles([3.0, 1.0, 2.0], 50, 99) == [2.0, 3.0]


def test_a_spread_is_the_middle_of_the_repeats_between_the_extremes() -> None:
    found = run_of(FIGURES)

    spread = found.spread("dbos", HAPPY, "per_second")

    assert spread is not None
    assert (spread.low, spread.median, spread.high) == (54.0, 60.0, 72.0)
    assert found.spread("nobody", HAPPY, "per_second") is None


def test_a_run_comes_back_from_its_json() -> None:
    found = run_of(FIGURES)

    assert Found.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_targets_that_are_reached_say_so_with_their_figures() -> None:
    found = targets(run_of(FIGURES))

    assert [t.answer for t in found] == ["yes"] * 7
    assert [t.figure for t in found] == [
        "50.0 times", "15.0 times", "50%", "80%", "8.0 ms; absurd 19.0 ms", "12.0 ms; absurd 27.0 ms", "0.60 ms",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "figures", "missed"),
    [
        ("waybill", (1_700.0, 1_600.0, 8.0, 12.0, 0.6), [0, 1, 2]),
        ("waybill", (3_000.0, 2_200.0, 8.0, 12.0, 0.6), [3]),
        ("waybill", (3_000.0, 2_400.0, 19.0, 12.0, 0.6), [4]),
        ("waybill", (3_000.0, 2_400.0, 8.0, 27.5, 0.6), [5]),
        ("waybill", (3_000.0, 2_400.0, 8.0, 12.0, 1.2), [6]),
        ("dbos", (101.0, 50.0, 45.0, 60.0, 27.0), [0]),
        ("set-based-100", (8_000.0, 5_000.0, 5.0, 7.0, 0.3), [2]),
    ],
)
def test_a_target_that_is_missed_says_no(name: str, figures: tuple[float, ...], missed: list[int]) -> None:
    found = targets(run_of(FIGURES | {name: figures}))

    assert [n for n, target in enumerate(found) if target.met is False] == missed


def test_only_durable_peers_are_compared_with() -> None:
    assert best_peer(run_of(FIGURES)) == "absurd"


def test_a_target_without_its_figures_is_neither_reached_nor_missed() -> None:
    found = run_of({"waybill": FIGURES["waybill"]})

    assert [t.met for t in targets(found)] == [None, None, None, True, None, None, True]


def test_the_report_names_the_missing_the_broken_and_the_missed() -> None:
    found = run_of(FIGURES | {"waybill": (1_000.0, 900.0, 8.0, 12.0, 0.6)})
    found.entries.append(Entry("restate", "Restate", durable=True, limit=False, missing="No restate-server."))
    found.failed["canvas"] = "TimeoutError: 3 orders do not end."

    text = report.markdown(found)

    assert "- Missing: Restate. No restate-server." in text
    assert "- Broke down: CANVAS. TimeoutError: 3 orders do not end." in text
    assert "| at least 30 times DBOS | 16.7 times | **no** |" in text
    assert "| **WAYBILL** | yes | 1,000 (900–1,200) |" in text
    assert "| CANVAS" not in text
    assert "postgresql 18" in text


def test_charts_are_well_formed_and_say_in_words_what_they_show() -> None:
    for chart in charts.charts(run_of(FIGURES)).values():
        root = ET.fromstring(chart.svg())

        title, told = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert root.get("role") == "img"
        assert title is not None
        assert title.text == chart.title
        assert told is not None
        assert all(name.upper() in (told.text or "") for name in FIGURES)


def test_a_chart_of_the_same_figures_is_the_same_text(tmp_path: Path) -> None:
    first = charts.write(run_of(FIGURES), tmp_path / "a")
    second = charts.write(run_of(FIGURES), tmp_path / "b")

    assert [f.name for f in first] == ["bench-throughput.svg", "bench-latency.svg", "bench-cpu.svg"]
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]


def test_bars_are_as_long_as_their_values_and_stay_on_the_page() -> None:
    chart = charts.Chart("T", "ms", [charts.Bar("a & b", "ours", 50.0), charts.Bar("c" * 80, "peer", 200.0)])

    root = ET.fromstring(chart.svg())

    lengths = [float(r.get("width", 0)) for r in root.iter(f"{SVG}rect") if r.get("x") == str(charts.LEFT)]
    assert lengths[1] == pytest.approx(4 * lengths[0], rel=0.01)
    assert charts.LEFT + lengths[1] < charts.WIDTH
    assert max(len(t.text or "") for t in root.iter(f"{SVG}text")) <= charts.LETTERS


def test_no_chart_is_written_of_nothing(tmp_path: Path) -> None:
    assert charts.write(run_of({}), tmp_path) == []


def run_of(figures: dict[str, tuple[float, ...]]) -> Found:
    """A run of three repeats, of which the second one shows these figures, the first less and the last more."""
    found = Found("2026-01-05", {"repeats": 3.0}, {"postgresql": "18"}, complete=True)
    for name, (happy, failing, p50, p99, cpu) in figures.items():
        found.entries.append(Entry(name, name.upper(), name != "canvas", name.startswith("set-"), "1.0"))
        for repeat, part in enumerate((0.9, 1.0, 1.2)):
            more = {"cpu_ms": cpu, "commits": 1.0, "wal_kb": 20.0, "peak_mb": 80.0}
            found.measured += [
                Measured(name, repeat, HAPPY, {"per_second": happy * part, **more}),
                Measured(name, repeat, FAILING, {"per_second": failing * part, **more}),
                Measured(name, repeat, ALONE, {"p50_ms": p50, "p95_ms": p50, "p99_ms": p99}),
            ]
    return found
