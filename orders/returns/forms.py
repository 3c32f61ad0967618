"""What staff fills in: to open a return, to say what came, and to decide on it line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms

from orders.models import OrderLine
from orders.returns.aggregate import BackLine, Finding, Return
from orders.returns.rules import Wish
from orders.totals import MOST_PIECES
from sagas.ids import uuid7
from sagas.web.staff import reason_field


class ReasonForm(forms.Form):
    """Every act has a reason, as short as by the API."""

    reason = reason_field(most=200, rows=2)


class OpenForm(ReasonForm):
    """Pieces of each line. `return_id` is made with the form: sent twice, it opens one return."""

    return_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid7)
    even_late = forms.BooleanField(
        required=False, label="Even if the time for returns is over",
        help_text="Your name and reason stand for it.",
    )  # fmt: skip

    def __init__(
        self,
        lines: Sequence[OrderLine],
        free: Mapping[int, int],
        data: Any = None,
        *,
        may_be_late: bool = False,
    ) -> None:
        super().__init__(data)
        self.lines, self.free = lines, free
        if not may_be_late:
            del self.fields["even_late"]
        for line in lines:
            self.fields[f"pieces_{line.position}"] = _pieces(
                f"Pieces of line {line.position}", required=False, most=free.get(line.position, 0)
            )

    def by_line(self) -> list[tuple[OrderLine, int, forms.BoundField]]:
        """Each line with what is free of it and its field."""
        return [(x, self.free.get(x.position, 0), self[f"pieces_{x.position}"]) for x in self.lines]

    def clean(self) -> dict[str, Any]:
        """A return of nothing is none."""
        data = super().clean() or {}
        if not self.errors and not self._wanted(data):
            self.add_error(None, "No pieces are named.")
        return data

    def wishes(self) -> list[Wish]:
        """The checked form as the command takes it."""
        return [Wish(n, position=p) for p, n in self._wanted(self.cleaned_data).items()]

    def _wanted(self, data: Mapping[str, Any]) -> dict[int, int]:
        return {
            x.position: data[f"pieces_{x.position}"] for x in self.lines if data.get(f"pieces_{x.position}")
        }


class ReceiveForm(ReasonForm):
    """What came of each line of the order, and what is none of it."""

    unexpected = forms.CharField(
        required=False, label="Goods that are none of this order",
        help_text="One a row: the SKU and how many, such as SHOE-9 1. They are never refunded.",
        widget=forms.Textarea(attrs={"rows": 2, "cols": 40}),
    )  # fmt: skip

    def __init__(self, back: Return, lines: Sequence[OrderLine], data: Any = None) -> None:
        super().__init__(data, auto_id="receive_%s")
        self.lines = lines
        for line in lines:
            asked = back.lines[line.position].asked if line.position in back.lines else 0
            self.fields[f"came_{line.position}"] = _pieces(f"Came of line {line.position}", initial=asked)

    def by_line(self, back: Return) -> list[tuple[OrderLine, int, forms.BoundField]]:
        """Each line with what was asked of it and its field."""
        asked = {line.position: line.asked for line in back.lines.values()}
        return [(x, asked.get(x.position, 0), self[f"came_{x.position}"]) for x in self.lines]

    def clean_unexpected(self) -> dict[str, int]:
        """Rows of a SKU and a count, by SKU."""
        found: dict[str, int] = {}
        for row in filter(None, map(str.strip, self.cleaned_data["unexpected"].splitlines())):
            sku, _, count = row.rpartition(" ")
            sku = sku.strip()
            if not sku or len(sku) > 100 or not count.isascii() or not count.isdigit() or sku in found:
                raise forms.ValidationError(f"Not a SKU and a count, or named twice: {row}")
            if not 0 < int(count) <= MOST_PIECES:
                raise forms.ValidationError(f"Not a number of pieces: {row}")
            found[sku] = int(count)
        return found

    def came(self) -> dict[int, int]:
        """Pieces that came, by line."""
        return {x.position: self.cleaned_data[f"came_{x.position}"] for x in self.lines}


class InspectForm(ReasonForm):
    """What is accepted, rejected and put back of each line that came."""

    def __init__(self, back: Return, data: Any = None) -> None:
        super().__init__(data, auto_id="inspect_%s")
        self.lines = [line for line in back.in_order if line.received]
        for line in self.lines:
            name = f"line {line.position}"
            self.fields |= {
                f"accepted_{line.position}": _pieces(f"Accepted of {name}", most=line.received, initial=line.received),
                f"rejected_{line.position}": _pieces(f"Rejected of {name}", most=line.received, initial=0),
                f"restock_{line.position}": _pieces(f"Back on the shelf of {name}", most=line.received,
                                                    initial=line.received),
                f"why_{line.position}": forms.CharField(
                    required=False, max_length=200, label=f"Why rejected, {name}",
                    widget=forms.TextInput(attrs={"aria-label": f"Why rejected, {name}"}),
                ),
            }  # fmt: skip

    def by_line(self) -> list[tuple[BackLine, list[forms.BoundField]]]:
        """Each line that came with its fields."""
        names = ("accepted", "rejected", "restock", "why")
        return [(line, [self[f"{name}_{line.position}"] for name in names]) for line in self.lines]

    def findings(self) -> list[Finding]:
        """The checked form as the command takes it."""
        return list(self._findings(self.cleaned_data))

    def _findings(self, data: Mapping[str, Any]) -> Iterable[Finding]:
        for p in [line.position for line in self.lines]:
            yield Finding(
                p, data[f"accepted_{p}"], data[f"rejected_{p}"], data[f"why_{p}"], data[f"restock_{p}"]
            )


def _pieces(
    label: str, *, required: bool = True, most: int = MOST_PIECES, initial: int | None = None
) -> forms.IntegerField:
    return forms.IntegerField(
        required=required, min_value=0, max_value=most, initial=initial, label=label,
        widget=forms.NumberInput(attrs={"size": 5, "aria-label": label}),
    )  # fmt: skip
