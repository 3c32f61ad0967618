"""Bars as SVG, without any library: the same figures give the same text. Legible on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.side_by_side.figures import ALONE, FAILING, HAPPY, Entry, Found, ours
from benchmarks.side_by_side.report import in_order

WIDTH, LEFT, RIGHT = 860, 310, 96
TOP, ROW, FOOT = 92, 34, 34
SPAN = WIDTH - LEFT - RIGHT
#: Longer labels are cut: they would run off the page.
LETTERS = 40

#: The kinds differ in their filling too, not in colour alone.
KINDS = {"ours": "Waybill", "peer": "durable peer", "loose": "peer, not durable", "limit": "limit: bare SQL"}
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.strong { font-weight: 600 }
.page { fill: #ffffff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0 }
.ours { fill: #0969da }
.peer { fill: #6e7781 }
.loose { fill: #ffffff; stroke: #6e7781; stroke-dasharray: 3 2 }
.limit { fill: url(#hatch); stroke: #6e7781 }
.hatch { stroke: #6e7781; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .page { fill: #0d1117; stroke: #3d444d }
  .grid { stroke: #3d444d }
  .ours { fill: #4493f8 }
  .peer { fill: #8b949e }
  .loose { fill: #0d1117; stroke: #8b949e }
  .limit, .hatch { stroke: #8b949e }
}
"""
OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    ' role="img" aria-labelledby="title desc">'
)
HATCH = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<line class="hatch" y2="6"/></pattern></defs>'
)


@dataclass(frozen=True)
class Bar:
    """One row: a bar, and where there is a second value a thin one below it."""

    label: str
    kind: str
    value: float
    second: float | None = None


@dataclass(frozen=True)
class Chart:
    """Bars over one scale. `second` says what the thin bars are."""

    title: str
    unit: str
    bars: Sequence[Bar]
    second: str = ""
    logarithmic: bool = False

    def svg(self) -> str:
        """The picture as text."""
        scale = Scale.over(self._values(), logarithmic=self.logarithmic)
        height = TOP + ROW * len(self.bars) + FOOT
        lines = [
            OPENING.format(width=WIDTH, height=height),
            f'<title id="title">{escape(self.title)}</title>',
            f'<desc id="desc">{escape(self._told())}</desc>',
            f"<style>{STYLE}</style>",
            HATCH,
            f'<rect class="page" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
            _text(20, 30, self.title, "title"),
            _text(20, 50, self._subtitle(), "small"),
            *self._legend(),
            *_grid(scale, height),
            *(line for place, bar in enumerate(self.bars) for line in _row(scale, TOP + ROW * place, bar)),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _values(self) -> list[float]:
        return [v for bar in self.bars for v in (bar.value, bar.second) if v]

    def _told(self) -> str:
        """The figures in words, for who does not see them."""
        return "; ".join(
            f"{bar.label}: {_figure(bar.value)}"
            + (f", {self.second} {_figure(bar.second)}" if bar.second else "")
            for bar in self.bars
        )

    def _subtitle(self) -> str:
        parts = [self.unit, "logarithmic scale" if self.logarithmic else ""]
        parts.append(f"thin bar: {self.second}" if self.second else "")
        return "; ".join(part for part in parts if part)

    def _legend(self) -> Iterator[str]:
        shown = {bar.kind for bar in self.bars}
        for place, kind in enumerate(kind for kind in KINDS if kind in shown):
            x = 20 + 160 * place
            yield f'<rect class="{kind}" x="{x}" y="62" width="14" height="10"/>'
            yield _text(x + 20, 71, KINDS[kind], "small")


@dataclass(frozen=True)
class Scale:
    """Where a value lies, and which values get a line."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float], *, logarithmic: bool) -> Scale:
        """From a round value below all to one above all."""
        if logarithmic:
            first = math.floor(math.log10(min(values, default=1.0)))
            last = max(math.ceil(math.log10(max(values, default=10.0))), first + 1)
            ticks = tuple(10.0**power for power in range(first, last + 1))
            return cls(ticks[0], ticks[-1], ticks, logarithmic=True)
        step = _round_step(max(values, default=1.0))
        count = math.ceil(max(values, default=1.0) / step)
        return cls(0, step * count, tuple(step * n for n in range(count + 1)), logarithmic=False)

    def length(self, value: float) -> float:
        """How long a bar is."""
        if not self.logarithmic:
            return SPAN * value / self.high
        if value <= self.low:
            return 0.0
        return SPAN * math.log10(value / self.low) / math.log10(self.high / self.low)


def charts(found: Found) -> dict[str, Chart]:
    """Every chart by the name of its file."""
    return {
        "bench-throughput": Chart(
            "How many orders a second",
            "orders/s, more is better",
            _bars(found, (HAPPY, "per_second"), (FAILING, "per_second")),
            second="every fifth order fails and is given back",
            logarithmic=True,
        ),
        "bench-latency": Chart(
            "One order alone, from sent to done",
            "median in milliseconds, less is better",
            _bars(found, (ALONE, "p50_ms"), (ALONE, "p99_ms")),
            second="99th percentile",
        ),
        "bench-cpu": Chart(
            "What an order costs",
            "processor milliseconds with database and broker, less is better",
            _bars(found, (HAPPY, "cpu_ms")),
        ),
    }


def write(found: Found, folder: Path) -> list[Path]:
    """Write all that have a bar into a folder, and say where."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, chart in charts(found).items():
        if chart.bars:
            written.append(folder / f"{name}.svg")
            written[-1].write_text(chart.svg())
    return written


def _bars(found: Found, thick: tuple[str, str], thin: tuple[str, str] | None = None) -> list[Bar]:
    """A bar for everyone with a figure: what was measured and which value, for each of the two."""
    bars = []
    for entry in in_order(found):
        value = found.median(entry.name, *thick)
        if value is not None:
            second = found.median(entry.name, *thin) if thin else None
            bars.append(Bar(entry.title, _kind(entry), value, second))
    return bars


def _kind(entry: Entry) -> str:
    if ours(entry):
        return "ours"
    if entry.limit:
        return "limit"
    return "peer" if entry.durable else "loose"


def _row(scale: Scale, top: int, bar: Bar) -> Iterator[str]:
    strong = "strong" if bar.kind == "ours" else ""
    label = bar.label if len(bar.label) <= LETTERS else f"{bar.label[: LETTERS - 1]}…"
    yield _text(LEFT - 10, top + 17, label, strong, anchor="end")
    thick = 12 if bar.second else 18
    yield _rect(bar.kind, top + 4, scale.length(bar.value), thick)
    if bar.second:
        yield _rect(bar.kind, top + 18, scale.length(bar.second), 5)
    longest = max(scale.length(bar.value), scale.length(bar.second or 0))
    shown = _figure(bar.value) + (f" / {_figure(bar.second)}" if bar.second else "")
    yield _text(LEFT + longest + 8, top + 17, shown, strong)


def _rect(kind: str, top: int, length: float, thick: int) -> str:
    return f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{length:.1f}" height="{thick}" rx="1"/>'


def _grid(scale: Scale, height: int) -> Iterator[str]:
    for tick in scale.ticks:
        x = LEFT + (scale.length(tick) if tick else 0.0)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{height - FOOT + 4}"/>'
        yield _text(x, height - FOOT + 20, _figure(tick), "small", anchor="middle")


def _text(x: float, y: float, words: str, style: str = "", *, anchor: str = "start") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _figure(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _round_step(highest: float) -> float:
    """1, 2 or 5 of some power of ten, so that about five lines are drawn."""
    power = 10.0 ** math.floor(math.log10(highest / 5))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * 5 >= highest)
