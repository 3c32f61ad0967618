"""What staff fills in to ask for a parcel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from orders.parcelling.reads import LineFree, Shippable
from sagas.ids import uuid7
from sagas.web.staff import ReasonForm


class ParcelForm(ReasonForm):
    """Pieces of each line, or everything that is free if none are named.

    `request_id` is made with the form: sent twice, it asks once.
    """

    request_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid7)

    def __init__(self, of: Shippable, data: Any = None) -> None:
        super().__init__(data)
        self.lines = of.lines
        for line in of.lines:
            self.fields[_name(line)] = forms.IntegerField(
                required=False, min_value=0, max_value=line.free, label=f"Pieces of {line.sku}",
                widget=forms.NumberInput(attrs={"size": 5, "aria-label": f"Pieces of line {line.position}"}),
            )  # fmt: skip

    def asked_lines(self) -> Sequence[tuple[LineFree, forms.BoundField]]:
        """Each line with its field."""
        return [(line, self[_name(line)]) for line in self.lines]

    def pieces(self) -> dict[int, int]:
        """The checked form as the command takes it."""
        data = self.cleaned_data
        return {line.position: data[_name(line)] for line in self.lines if data.get(_name(line))}


def _name(line: LineFree) -> str:
    return f"pieces_{line.position}"
