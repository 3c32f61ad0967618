"""Which references meet which trouble: a share of all, chosen by a hash of the reference.

A decision is a function of `(seed, operation, reference)` alone, never of how often or when something was
called. Two runs of one seed therefore hit the same orders, whatever the scheduling.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

OPERATIONS = frozenset({
    "create", "authorize", "capture", "void", "refund", "retrieve",  # the gateway; retrieve is every read
    "book", "cancel_shipment", "pickups", "deliveries", "find",  # the carrier; find is every read
    "webhooks",  # what the gateway tells of a reference
})  # fmt: skip

#: What a rule may do, and how often to one reference unless it says otherwise (None: each time).
ACTIONS: Mapping[str, int | None] = {
    "approve": None,
    "decline": None,  # params: code, or decline_code of the card
    "require_action": None,  # of an authorization: the customer has to act
    "refuse": None,  # params: code, field of an address
    "delay": 1,  # params: seconds, done_first
    "do_then_drop": 1,
    "drop": 1,
    "do_then_5xx": 1,  # params: status, replays ("error" or "result")
    "rate_limit": 1,  # params: retry_after
    "unavailable": 1,  # params: seconds (instead of a number of times), retry_after
    # Of webhooks only:
    "never": None,
    "early": None,  # taken by the receiver before the call is answered
    "late": None,  # params: seconds
    "shuffle": None,  # params: seconds, within which they come in any order
    "duplicate": None,  # params: copies
    "twin": None,  # the same fact under a second id
    "forge": None,  # signed with another secret
    "lie": None,  # params: what is said in place of the truth
}


class BadRule(ValueError):
    """A rule or profile that cannot be followed. The message says which part."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One behaviour of one operation. `share` is of all references, 0 to 1; `name` keys its record of use."""

    operation: str
    action: str
    share: float = 1.0
    params: Mapping[str, Any] = field(default_factory=dict)
    times: int | None = None
    name: str = ""
    began: float | None = (
        None  # an outage of everybody is counted from here, not from each reference's first call
    )

    def __post_init__(self) -> None:
        if self.operation != "*" and self.operation not in OPERATIONS:
            raise BadRule(f"unknown operation {self.operation!r}; known: {', '.join(sorted(OPERATIONS))}")
        if self.action not in ACTIONS:
            raise BadRule(f"unknown action {self.action!r}; known: {', '.join(ACTIONS)}")
        if not 0 <= self.share <= 1:
            raise BadRule(f"share of {self.operation} {self.action} is not between 0 and 1")
        if not isinstance(self.params, Mapping):
            raise BadRule(f"params of {self.operation} {self.action} is not an object")

    @classmethod
    def from_json(cls, data: Any) -> Rule:
        """Read one rule of a profile file. Raises BadRule."""
        if not isinstance(data, dict):
            raise BadRule("a rule is an object with operation, action and share")
        unknown = set(data) - {"operation", "action", "share", "params", "times"}
        if unknown:
            raise BadRule(f"unknown field {', '.join(sorted(unknown))} in a rule")
        if "operation" not in data or "action" not in data:
            raise BadRule("a rule needs operation and action")
        return cls(**data)

    @property
    def most_times(self) -> int | None:
        """How often it strikes one reference; None for each time. A trouble with a duration has no number."""
        if self.action == "unavailable" and "seconds" in self.params:
            return None
        return self.times if self.times is not None else ACTIONS[self.action]


def draw(seed: int, operation: str, reference: str) -> float:
    """A number in [0, 1) that depends on these three alone."""
    digest = sha256(f"{seed}|{operation}|{reference}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@dataclass(frozen=True)
class Profile:
    """Rules laid side by side over [0, 1): at most one of an operation's rules strikes a reference."""

    name: str
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for operation in {rule.operation for rule in self.rules}:
            if sum(rule.share for rule in self.rules if rule.operation == operation) > 1 + 1e-9:
                raise BadRule(f"the shares of {operation} in profile {self.name} add up to more than 1")

    def rule_for(self, seed: int, operation: str, reference: str) -> Rule | None:
        """The rule that strikes this reference in this operation, if any does."""
        left = draw(seed, operation, reference)
        for rule in self.rules:
            if rule.operation == operation:
                left -= rule.share
                if left < 0:
                    return rule
        return None


def _named(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(
        Rule(operation=r.operation, action=r.action, share=r.share, params=r.params, times=r.times,
             name=f"profile:{r.operation}")
        for r in rules
    )  # fmt: skip


def _rule(operation: str, action: str, percent: float, **params: Any) -> Rule:
    return Rule(operation=operation, action=action, share=percent / 100, params=params)


QUIET = Profile("quiet")

#: About 4 % declines, 2 % carrier refusals, 1 % broken answers (half of them did happen), a few 429 and 5xx.
DEMO = Profile("demo", _named([
    _rule("authorize", "decline", 1.6, code="insufficient_funds"),
    _rule("authorize", "decline", 1.0, code="do_not_honor"),
    _rule("authorize", "decline", 0.7, code="expired_card"),
    _rule("authorize", "decline", 0.4, code="lost_card"),
    _rule("authorize", "decline", 0.3, code="fraudulent"),
    _rule("authorize", "do_then_drop", 0.5),
    _rule("authorize", "drop", 0.5),
    _rule("authorize", "do_then_5xx", 0.2, status=500),
    _rule("authorize", "do_then_5xx", 0.1, status=502),
    _rule("authorize", "rate_limit", 0.3, retry_after=1),
    _rule("capture", "do_then_drop", 0.25),
    _rule("capture", "drop", 0.25),
    _rule("capture", "do_then_5xx", 0.15, status=504),
    _rule("capture", "rate_limit", 0.2, retry_after=1),
    _rule("void", "do_then_drop", 0.5),
    _rule("void", "drop", 0.5),
    _rule("void", "unavailable", 0.5, retry_after=1),
    _rule("refund", "do_then_drop", 0.5),
    _rule("refund", "drop", 0.5),
    _rule("refund", "do_then_5xx", 0.3, status=500),
    _rule("book", "refuse", 1.2, code="country_not_served"),
    _rule("book", "refuse", 0.5, code="address_invalid"),
    _rule("book", "refuse", 0.3, code="service_not_available"),
    _rule("book", "do_then_drop", 0.2),
    _rule("book", "drop", 0.2),
    _rule("book", "do_then_5xx", 0.15, status=500),
    _rule("book", "rate_limit", 0.2, retry_after=1),
    _rule("cancel_shipment", "do_then_drop", 0.5),
    _rule("cancel_shipment", "drop", 0.5),
]))  # fmt: skip


def load_profile(name: str) -> Profile:
    """`demo`, `quiet`, or a JSON file: a list of rules as `Rule.from_json` reads them. Raises BadRule."""
    known = {profile.name: profile for profile in (DEMO, QUIET)}
    if name in known:
        return known[name]
    try:
        data = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRule(f"profile {name!r} is neither demo nor quiet nor a readable file: {error}") from error
    except ValueError as error:
        raise BadRule(f"profile {name} is not JSON: {error}") from error
    if not isinstance(data, list):
        raise BadRule(f"profile {name} is not a list of rules")
    return Profile(Path(name).stem, _named(map(Rule.from_json, data)))
