"""People in the admin: nobody is listed unasked, and erasing shows what it will do and wants a reason."""

from __future__ import annotations

import html
import re
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from sagas import log, people
from sagas.ids import uuid7
from sagas.people import PersonData, Use, remember_people
from sagas.personal import Person
from tests.sagas.facts import NOW
from tests.sagas.people import onlooker, operator

LIST, ERASE = "/admin/sagas/person/", "/admin/sagas/person/erase/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uses(monkeypatch: pytest.MonkeyPatch) -> dict[UUID, Use]:
    """Who is used by what."""
    known: dict[UUID, Use] = {}
    users = {"cases": lambda ids: {i: known[i] for i in ids if i in known}}
    monkeypatch.setattr(people, "_users", users)
    return known


def a_person(reference: str = "C-1/home", email: str = "ada@example.org") -> UUID:
    (person_id,) = remember_people([PersonData(uuid7(), reference, "Ada Example", email)], now=NOW)
    return person_id


def text(response: Any) -> str:
    assert response.status_code == 200
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


def listed(client: Client, query: str) -> list[UUID]:
    return [person.pk for person in client.get(LIST, {"q": query}).context["cl"].result_list]


def test_nobody_is_listed_who_was_not_asked_for() -> None:
    a_person()

    page = text(operator().get(LIST))

    assert "0 people" in page
    assert "Ada Example" not in page


@pytest.mark.parametrize("query", ["ADA@example.org", "C-1", "C-1/home"])
def test_a_person_is_found_by_exactly_what_a_letter_says(query: str) -> None:
    wanted, client = a_person(), operator()
    a_person("C-10/home", "other@example.org")

    assert listed(client, query) == [wanted]
    assert listed(client, str(wanted)) == [wanted]


@pytest.mark.parametrize("query", ["", " ", "C-", "ada@", "Ada", "%", "ada@example.or_"])
def test_less_finds_nobody(query: str) -> None:
    a_person()

    assert listed(operator(), query) == []


def test_a_customer_is_found_in_every_shop() -> None:
    both = [a_person(email="a@example.org"), a_person(email="b@example.org")]

    assert sorted(listed(operator(), "C-1")) == sorted(both)


def test_erasing_shows_what_it_will_do_and_asks_for_a_reason(uses: dict[UUID, Use]) -> None:
    free, needed, client = a_person("C-1/a"), a_person("C-1/b"), operator()
    uses.update({free: Use(2, 0), needed: Use(3, 1)})

    chosen = {"action": "erase", "_selected_action": [str(free), str(needed)]}
    page = text(client.post(f"{LIST}?q=C-1", chosen))
    unsaid = text(client.post(ERASE, {"person": [str(free)], "reason": " "}))

    assert "Erase 2 people?" in page
    assert f"{free} cases: 2, open: 0 will be erased now" in page
    assert f"{needed} cases: 3, open: 1 will be erased when what is open has ended" in page
    assert "Kept for ever" in page
    assert "Ada Example" not in page
    assert "This field is required" in unsaid
    assert Person.objects.filter(name="Ada Example").count() == 2


def test_with_a_reason_exactly_those_are_erased_in_the_name_of_who_asked(uses: dict[UUID, Use]) -> None:
    free, needed, other, client = a_person("C-1/a"), a_person("C-1/b"), a_person("C-1/c"), operator()
    uses[needed] = Use(1, 1)

    sent = {"person": [str(free), str(needed)], "reason": "letter 12"}
    page = text(client.post(ERASE, sent, follow=True))

    assert "Erased: 1. Waiting for what is open: 1." in page
    assert set(Person.objects.exclude(name="").values_list("pk", flat=True)) == {needed, other}
    assert [(e.type, e.metadata["actor"], e.metadata["reason"]) for e in log.read(free)] == [
        ("sagas.PersonErased", "olga", "letter 12")
    ]
    assert "waits, asked by olga" in text(client.get(LIST, {"q": str(needed)}))


@pytest.mark.parametrize("who", ["nobody", "onlooker", "reader"])
def test_who_may_not_erase_does_not(who: str) -> None:
    person_id, client = a_person(), Client()
    if who == "onlooker":
        client = onlooker()
    if who == "reader":
        user = User.objects.create_user("rita", "rita@waybill.invalid", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_person"))
        client.force_login(user)

    answer = client.post(ERASE, {"person": [str(person_id)], "reason": "letter 12"})

    assert answer.status_code == (302 if who == "nobody" else 403)
    assert client.get(LIST).status_code == {"nobody": 302, "onlooker": 403, "reader": 200}[who]
    assert Person.objects.get().name == "Ada Example"


@pytest.mark.parametrize("sent", [{}, {"person": ["no id"]}])
def test_nobody_named_is_not_found(sent: dict[str, Any]) -> None:
    assert operator().post(ERASE, {**sent, "reason": "letter 12"}).status_code == 404
