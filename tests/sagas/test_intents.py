"""What is asked of one saga never stands in the way of what is asked of others."""

from __future__ import annotations

import pytest

from sagas import operate
from sagas.clock import database_now
from sagas.log import read
from sagas.models import Intent
from sagas.tasks import take_up_intents
from tests.sagas import toys
from tests.sagas.toys import Script


def test_an_intent_that_cannot_be_carried_out_is_refused_and_the_others_are_taken_up(
    toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentry_sdk.capture_exception", lambda error: caught.append(repr(error)))
    caught: list[str] = []
    good, bad, fine = toys.start_many(["GOOD", "BAD", "FINE"])
    now = database_now()

    operate.act(
        "skip",
        [bad],
        actor="ada",
        reason="by hand",
        now=now,
        payload={"step": "sagas.open_case", "result": 7},
    )
    operate.act("cancel", [good, fine], actor="ada", reason="no more", now=now)
    take_up_intents()

    answers = dict(Intent.objects.values_list("saga_id", "answer"))
    assert answers == {good: "turned_back", bad: "bug", fine: "turned_back"}
    assert caught == ["TypeError(\"'int' object is not iterable\")"]
    assert [r.event.to_data()["payload"] for r in read(bad)] == [{"outcome": "refused", "answer": "bug"}]
