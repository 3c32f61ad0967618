"""What a person does about a case, by command and on the page."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from payments import contract
from payments.commands import cases as commands
from payments.models import Payment
from payments.reconciliation import reads
from payments.reconciliation.rows import Case
from sagas.log import read
from sagas.models import Intent, Saga
from sagas.operate import ReasonMissing
from tests.payments.reconciliation.desk import Desk
from tests.sagas import people

PAGE = "/staff/money/"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A captured payment of which the provider tells another amount, and one whose id we lost."""
    reads.kept_balance.forget()
    desk.till.captured("A-1")
    desk.gateway.alter(desk.payment("A-1").provider_id, amount_minor=1200)
    desk.run()
    return desk


@pytest.fixture
def lost(desk: Desk) -> Case:
    """An intent whose id we lost, of a saga that is not through."""
    desk.till.authorize("LOST")
    desk.a_saga("LOST")
    Payment.objects.filter(reference="LOST").update(state="created", provider_id="", authorized_minor=0)
    desk.run()
    found = Case.objects.get(kind="unknown_to_us")
    Payment.objects.filter(reference="LOST").update(
        state="authorized", provider_id=found.object_id, authorized_minor=1000
    )
    return found


def the_case() -> Case:
    return Case.objects.get(kind="amount_differs")


def text(response: Any) -> str:
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


def signed_in(*codes: str) -> Client:
    user = User.objects.create_user("fin", "fin@waybill.invalid", is_staff=True)
    found = Permission.objects.filter(content_type__app_label="payments", codename__in=codes)
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    return client


def resolve(case: Case, **more: Any) -> Case:
    wanted = {"how": "explained", "actor": "olga", "reason": "agreed by telephone", "now": case.last_seen}
    return commands.resolve_case(case.pk, **{**wanted, **more})


def test_a_resolved_case_names_who_how_and_why_and_leaves_one_event(desk: Desk) -> None:
    case = the_case()

    resolve(case)

    case.refresh_from_db()
    assert (case.state, case.how, case.resolved_by, case.reason) == (
        "resolved", "explained", "olga", "agreed by telephone",
    )  # fmt: skip
    [event] = read(case.pk)
    assert event.event == contract.CaseResolved(
        case_id=case.pk, kind="amount_differs", object_id=case.object_id, shop_id=desk.till.shop_id,
        order_id=desk.payment("A-1").order_id, how="explained", amount_minor=200, currency="GBP",
    )  # fmt: skip
    assert (event.metadata["actor"], event.metadata["reason"]) == ("olga", "agreed by telephone")


@pytest.mark.parametrize("missing", [{"actor": " "}, {"reason": ""}])
def test_nothing_is_resolved_without_a_name_and_a_reason(desk: Desk, missing: dict[str, str]) -> None:
    with pytest.raises(ReasonMissing):
        resolve(the_case(), **missing)

    assert the_case().state == "open"


def test_a_case_is_resolved_once(desk: Desk) -> None:
    case = the_case()
    resolve(case)

    with pytest.raises(commands.CaseEnded):
        resolve(case, actor="otto")

    assert the_case().resolved_by == "olga"
    assert len(read(case.pk)) == 1


def test_a_case_is_resolved_in_a_way_it_knows(desk: Desk) -> None:
    with pytest.raises(commands.NoSuchWay):
        resolve(the_case(), how="forgotten")


def test_looking_again_asks_the_saga_to_try_what_is_due(desk: Desk, lost: Case) -> None:
    commands.look_again(lost.pk, actor="olga", reason="the id was lost", now=desk.clock.now)

    intent = Intent.objects.get()
    assert (intent.saga_id, intent.kind, intent.actor) == (lost.saga_id, "retry", "olga")
    lost.refresh_from_db()
    assert lost.state == "open", "only the next run can tell that both sides agree"


def test_there_is_nothing_to_wake_behind_a_saga_that_is_through(desk: Desk, lost: Case) -> None:
    Saga.objects.update(state="completed", finished_at=desk.clock.now)

    with pytest.raises(commands.NothingToWake):
        commands.look_again(lost.pk, actor="olga", reason="x", now=desk.clock.now)
    with pytest.raises(commands.NothingToWake):
        commands.look_again(the_case().pk, actor="olga", reason="x", now=desk.clock.now)
    assert Intent.objects.count() == 0


# --- the page -------------------------------------------------------------------------------------------


def test_the_page_tells_of_cases_runs_and_the_trial_balance(desk: Desk) -> None:
    told = text(people.operator().get(PAGE))

    assert "1 amount differs 2.00 GBP" in told
    assert f"amount differs {the_case().object_id} A-1 2.00 GBP" in told
    assert "everything differences" in told
    assert "captured 10.00 GBP" in told
    assert "provider clearing 10.00 GBP" in told
    assert "sum in GBP 0.00 GBP" in told


def test_the_page_can_be_narrowed(desk: Desk, lost: Case) -> None:
    client = people.operator()

    by_kind = text(client.get(PAGE, {"kind": "unknown_to_us"}))
    resolved = text(client.get(PAGE, {"state": "resolved"}))
    nonsense = client.get(PAGE, {"state": "'", "kind": "x", "before": "x"})

    assert f"unknown to us {lost.object_id}" in by_kind
    assert f"amount differs {the_case().object_id}" not in by_kind
    assert "No resolved case." in resolved
    assert nonsense.status_code == 200
    assert "unknown to us" in text(nonsense)


def test_more_cases_than_a_page_holds_are_leafed_through(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "CASES", 2)
    for number in range(4):
        desk.gateway.plant(reference=f"X-{number}")
    desk.run()
    client, seen, address = people.operator(), [], PAGE
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r'href="/staff/money/cases/([0-9a-f-]+)/"', page)
        after = re.search(r'href="([^"]+)">Older cases', page)
        address = PAGE + html.unescape(after[1]) if after else ""

    newest_first = Case.objects.order_by("-id").values_list("pk", flat=True)
    assert seen == [str(pk) for pk in newest_first]


def test_a_case_shows_both_sides_beside_each_other(desk: Desk) -> None:
    told = text(people.operator().get(reverse("money:case", args=[the_case().pk])))

    assert "amount 10.00 GBP 12.00 GBP" in told
    assert "captured 10.00 GBP 10.00 GBP" in told
    assert str(desk.payment("A-1").pk) in told
    assert "Look again" not in told


def test_a_case_is_resolved_on_its_page_with_a_reason(desk: Desk) -> None:
    client, case = people.operator(), the_case()
    address = reverse("money:resolve", args=[case.pk])

    without = client.post(address, {"how": "explained", "reason": ""})
    done = client.post(address, {"how": "written_off", "reason": "too small"}, follow=True)
    twice = client.post(address, {"how": "explained", "reason": "again"})

    assert (without.status_code, done.status_code, twice.status_code) == (400, 200, 409)
    assert "Written Off by olga" in text(done)
    assert (the_case().how, the_case().reason) == ("written_off", "too small")
    assert f"Not done amount_differs of {case.object_id} is resolved" in text(twice)


def test_a_saga_is_asked_again_from_the_page(desk: Desk, lost: Case) -> None:
    client = people.operator()
    offered = text(client.get(reverse("money:case", args=[lost.pk])))

    done = client.post(reverse("money:look_again", args=[lost.pk]), {"reason": "id lost"}, follow=True)

    assert "The saga of this order is not through" in offered
    assert "The saga asks again." in text(done)
    assert Intent.objects.get().reason == "id lost"


def test_who_may_only_look_does_not_act(desk: Desk) -> None:
    client, case = signed_in("view_case"), the_case()

    page = client.get(reverse("money:case", args=[case.pk]))
    act = client.post(reverse("money:resolve", args=[case.pk]), {"how": "explained", "reason": "x"})

    assert page.status_code == 200
    assert "Say how it was settled" not in text(page)
    assert act.status_code == 403
    assert the_case().state == "open"


def test_who_may_act_may_look(desk: Desk) -> None:
    client = signed_in("change_case")

    assert client.get(PAGE).status_code == 200
    assert 'href="/staff/money/"' in client.get(PAGE).content.decode()


@pytest.mark.parametrize("who", ["nobody", "customer", "other staff"])
def test_others_do_not_see_the_money(desk: Desk, who: str) -> None:
    client = {"nobody": Client, "customer": people.customer, "other staff": people.onlooker}[who]()

    for address in (PAGE, reverse("money:case", args=[the_case().pk])):
        assert client.get(address).status_code == (403 if who == "other staff" else 302)
    if who == "other staff":
        assert PAGE not in client.get("/staff/").content.decode()


def test_what_the_provider_says_is_shown_and_not_run(desk: Desk) -> None:
    desk.gateway.plant(reference="<script>alert(1)</script>", id="pi_<b>")
    desk.run()

    page = people.operator().get(PAGE).content.decode()

    assert "<script>alert(1)" not in page
    assert "pi_&lt;b&gt;" in page
