"""Says what trouble a call meets: exact scripts first, then the profile. Remembers what has struck."""

from __future__ import annotations

import json
import math
import time
from typing import Any

from config.sandbox.profiles import Profile, Rule
from config.sandbox.record import Record


class Director:
    """The scripts, the profile and the sandbox's clock over one record."""

    def __init__(self, record: Record, profile: Profile, seed: int) -> None:
        self._record = record
        self.profile = profile
        self.seed = seed
        self.reload()

    def reload(self) -> None:
        """Read scripts and clock from the record, as after a restart."""
        self._scripts: dict[tuple[str, str], list[Rule]] = {}
        rows = self._record.rows(
            "SELECT id, operation, reference, action, params, times, at FROM script ORDER BY id"
        )
        for number, operation, reference, action, params, times, at in rows:
            rule = Rule(operation=operation, action=action, params=json.loads(params), times=times,
                        name=f"script:{number}", began=at if reference == "*" else None)  # fmt: skip
            self._scripts.setdefault((operation, reference), []).append(rule)
        ahead = self._record.row("SELECT value FROM meta WHERE name = 'ahead_seconds'")
        self.ahead_seconds = float(ahead[0]) if ahead else 0.0

    def now(self) -> float:
        """Seconds since 1970 on the sandbox's own clock, which tests may move ahead."""
        return time.time() + self.ahead_seconds

    def move_clock(self, ahead_seconds: float) -> None:
        """Set how far the sandbox's clock runs ahead. Survives a restart."""
        self._record.write("INSERT OR REPLACE INTO meta VALUES ('ahead_seconds', ?)", (ahead_seconds,))
        self.ahead_seconds = ahead_seconds

    def script(self, rule: Rule, reference: str, *, append: bool) -> None:
        """Script one reference (or `*`) exactly. Replaces the pair's scripts unless appended behind them."""
        if not append:
            self.unscript(rule.operation, reference)
        self._record.write(
            "INSERT INTO script (operation, reference, action, params, times, at) VALUES (?, ?, ?, ?, ?, ?)",
            (rule.operation, reference, rule.action, json.dumps(rule.params), rule.times, self.now()),
        )
        self.reload()

    def unscript(self, operation: str | None = None, reference: str | None = None) -> None:
        """Remove the scripts of an operation and a reference; None stands for all."""
        self._record.write(
            "DELETE FROM script"
            " WHERE operation = coalesce(?, operation) AND reference = coalesce(?, reference)",
            (operation, reference),
        )
        self.reload()

    def scripts(self) -> list[dict[str, Any]]:
        """All scripts, as they were put."""
        return [
            {"operation": rule.operation, "reference": reference, "action": rule.action,
             "params": dict(rule.params), "times": rule.most_times}
            for (_, reference), rules in self._scripts.items() for rule in rules
        ]  # fmt: skip

    def rule_for(self, operation: str, reference: str) -> Rule | None:
        """The trouble this call meets now. Exact beats `*`; what has struck often enough is passed over."""
        if self._scripts:
            for pair in ((operation, reference), (operation, "*"), ("*", reference), ("*", "*")):
                for rule in self._scripts.get(pair, ()):
                    if self._is_live(rule, operation, reference):
                        return rule
        drawn = self.profile.rule_for(self.seed, operation, reference)
        return drawn if drawn is not None and self._is_live(drawn, operation, reference) else None

    def count_attempt(self, operation: str, reference: str) -> None:
        """Note that somebody asked for this, whatever came of it."""
        self._record.write(
            "INSERT INTO attempt VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
            (reference, operation),
        )

    def strike(self, rule: Rule, operation: str, reference: str) -> None:
        """Note that a rule has struck a reference, so that it does not do so for ever."""
        self._record.write(
            "INSERT INTO strike VALUES (?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET count = count + 1",
            (rule.name, operation, reference, self.now()),
        )

    def retry_after(self, rule: Rule, operation: str, reference: str) -> str:
        """Seconds a 429 or 503 asks for: what the script says, else what is left of the outage, else 1."""
        if "retry_after" in rule.params:
            return str(rule.params["retry_after"])
        seconds = float(rule.params.get("seconds", 1))
        return str(max(1, math.ceil(seconds - self._age(rule, operation, reference))))

    def _is_live(self, rule: Rule, operation: str, reference: str) -> bool:
        most = rule.most_times
        if most is not None:
            return self._strikes(rule, operation, reference)[0] < most
        if rule.action == "unavailable" and "seconds" in rule.params:
            return self._age(rule, operation, reference) < float(rule.params["seconds"])
        return True

    def _age(self, rule: Rule, operation: str, reference: str) -> float:
        """How long this trouble has lasted for this reference."""
        if rule.began is not None:
            return self.now() - rule.began
        count, first_at = self._strikes(rule, operation, reference)
        return self.now() - first_at if count else 0.0

    def _strikes(self, rule: Rule, operation: str, reference: str) -> tuple[int, float]:
        found = self._record.row(
            "SELECT count, first_at FROM strike WHERE rule = ? AND operation = ? AND reference = ?",
            (rule.name, operation, reference),
        )
        return (found[0], found[1]) if found else (0, 0.0)
