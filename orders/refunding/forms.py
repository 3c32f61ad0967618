"""What staff fills in to ask for a refund, and to decide on one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms

from orders.refunding.reads import LineLeft, Refundable
from orders.refunding.rules import Wanted
from sagas.ids import uuid7
from sagas.money import decimals, money
from sagas.web.staff import ReasonForm

WAYS = [("whole", "Everything that is left"), ("amount", "An amount"), ("lines", "Pieces")]


class AskForm(ReasonForm):
    """Everything, an amount in the order's currency, or pieces of each line.

    `request_id` is made with the form: sent twice, it asks once.
    """

    request_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid7)
    how = forms.ChoiceField(choices=WAYS, widget=forms.RadioSelect, label="How much")
    amount = forms.DecimalField(required=False, min_value=0, max_digits=18)

    def __init__(self, of: Refundable, data: Any = None) -> None:
        super().__init__(data)
        self.currency, self.lines = of.order.currency, of.lines
        places = decimals(self.currency)
        self.fields["amount"] = forms.DecimalField(
            required=False, min_value=Decimal(1).scaleb(-places), max_digits=18, decimal_places=places,
            label=f"Amount in {self.currency}", help_text=f"At most {money(of.left_minor, self.currency)}.",
        )  # fmt: skip
        for line in of.lines:
            self.fields[_name(line)] = forms.IntegerField(
                required=False, min_value=0, max_value=line.left, label=f"Pieces of {line.sku}",
                widget=forms.NumberInput(attrs={"size": 5, "aria-label": f"Pieces of line {line.position}"}),
            )  # fmt: skip
        self.order_fields(["request_id", "how", "amount", *(_name(line) for line in of.lines), "reason"])

    def asked_lines(self) -> Sequence[tuple[LineLeft, forms.BoundField]]:
        """Each line with its field."""
        return [(line, self[_name(line)]) for line in self.lines]

    def clean(self) -> dict[str, Any]:
        """What is asked for must be said where it is asked."""
        data = super().clean() or {}
        if data.get("how") == "amount" and not data.get("amount") and "amount" not in self.errors:
            self.add_error("amount", "How much?")
        if data.get("how") == "lines" and not self._pieces(data) and not self.errors:
            self.add_error("how", "No pieces are named.")
        return data

    def wanted(self) -> Wanted:
        """The checked form as the command takes it."""
        match self.cleaned_data["how"]:
            case "whole":
                return Wanted(whole=True)
            case "amount":
                minor = self.cleaned_data["amount"].scaleb(decimals(self.currency))
                return Wanted(amount_minor=int(minor))
        return Wanted(pieces=self._pieces(self.cleaned_data))

    def _pieces(self, data: dict[str, Any]) -> dict[int, int]:
        return {line.position: data[_name(line)] for line in self.lines if data.get(_name(line))}


def _name(line: LineLeft) -> str:
    return f"pieces_{line.position}"
