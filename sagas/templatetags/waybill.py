"""What templates of the staff page and the admin need: times, amounts, words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString

from sagas import display, money, standing
from sagas.models import Saga

register = template.Library()

register.filter("badge", display.badge)
register.filter("badges", display.badges)
register.filter("bar", display.bar)
register.filter("clock", display.clock)
register.filter("pretty", display.pretty)
register.filter("purse", money.purse)
register.filter("words", standing.words)
register.filter("in_words", standing.in_words)


@register.filter
def amount(saga: Saga) -> str:
    """The money in a saga."""
    return money.money(saga.amount_minor, saga.currency) if saga.currency else ""


@register.filter
def number(count: int | None) -> str:
    """A count with its thousands apart; nothing for none."""
    return f"{count:,}" if count else ""


@register.filter
def look(word: str) -> str:
    """The style of a state or hold."""
    return display.LOOKS.get(word, "quiet")


@register.simple_tag(takes_context=True)
def when(context: dict[str, Any], at: datetime | None) -> SafeString | str:
    """How long ago or how soon, by the page's `now`."""
    return display.when(at, context["now"])


@register.simple_tag(takes_context=True)
def age(context: dict[str, Any], at: datetime | None) -> SafeString | str:
    """For how long, by the page's `now`."""
    return display.age(at, context["now"])


@register.simple_tag
def lasting(began: datetime | None, ended: datetime | None) -> str:
    """From one moment to another."""
    return display.span(ended - began) if began and ended else ""
