"""Erasing people: what goes, what stays, who waits, and that nobody comes back by accident."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.db import IntegrityError, transaction

from sagas import erasure, log, people
from sagas.erasure import Erased, erase_people, erase_waiting, find_people, foresee
from sagas.ids import uuid7
from sagas.operate import ReasonMissing
from sagas.people import PersonData, Use, read_people, remember_people
from sagas.personal import Erasure, Person
from tests.sagas.facts import NOW

SHOP = uuid7()
LATER = NOW + timedelta(days=3)


@pytest.fixture
def uses(monkeypatch: pytest.MonkeyPatch) -> dict[UUID, Use]:
    """Who is used by what: a test fills it. Nobody else is asked."""
    known: dict[UUID, Use] = {}

    def cases(person_ids: Sequence[UUID]) -> dict[UUID, Use]:
        return {i: known[i] for i in person_ids if i in known}

    monkeypatch.setattr(people, "_users", {"cases": cases})
    return known


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("uses")]


def a_person(reference: str = "C-1/home", *, shop_id: UUID = SHOP, email: str = "ada@example.org") -> UUID:
    data = PersonData(shop_id, reference, "Ada Example", email, {"street": "Long Road 1"})
    (person_id,) = remember_people([data], now=NOW)
    return person_id


def erase(*ids: UUID, reason: str = "asked by letter") -> list[Erased]:
    return erase_people(ids, actor="olga", reason=reason, now=NOW)


def facts(person_id: UUID) -> list[tuple[str, str, str]]:
    return [(e.type, e.metadata["actor"], e.metadata.get("reason", "")) for e in log.read(person_id)]


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("erase_person", *arguments, stdout=out)
    return out.getvalue()


# --- erasing ------------------------------------------------------------------------------------------------


def test_nothing_of_a_person_is_left_but_the_id_and_the_shop() -> None:
    person_id = a_person()

    told = erase(person_id)

    person = Person.objects.get()
    assert told == [Erased(person_id, "erased", {})]
    assert (person.pk, person.shop_id, person.made_at, person.erased_at) == (person_id, SHOP, NOW, NOW)
    assert (person.name, person.email, person.address) == ("", "", {})
    assert person.reference == f"erased/{person_id}"
    assert read_people([person_id])[person_id] == PersonData(SHOP, f"erased/{person_id}")


def test_the_act_is_one_event_with_actor_and_reason() -> None:
    person_id = a_person()

    erase(person_id)

    (event,) = log.read(person_id)
    assert event.event.to_data() == {"person_id": str(person_id), "shop_id": str(SHOP)}
    assert facts(person_id) == [("sagas.PersonErased", "olga", "asked by letter")]


def test_erasing_again_changes_nothing_and_says_so() -> None:
    person_id = a_person()
    erase(person_id)

    told = erase_people([person_id], actor="otto", reason="again", now=LATER)

    assert told == [Erased(person_id, "erased before", {})]
    assert Person.objects.get().erased_at == NOW
    assert facts(person_id) == [("sagas.PersonErased", "olga", "asked by letter")]


def test_without_actor_or_reason_nobody_is_erased() -> None:
    person_id = a_person()

    with pytest.raises(ReasonMissing):
        erase_people([person_id], actor=" ", reason="asked", now=NOW)
    with pytest.raises(ReasonMissing):
        erase_people([person_id], actor="olga", reason="", now=NOW)

    assert Person.objects.get().name == "Ada Example"


def test_who_comes_back_is_somebody_new() -> None:
    person_id = a_person()
    erase(person_id)

    again = a_person()

    assert again != person_id
    assert read_people([person_id, again])[person_id].name == ""
    assert read_people([person_id, again])[again].name == "Ada Example"


def test_an_unknown_id_is_left_out() -> None:
    assert erase(uuid7()) == []


def test_more_than_a_batch_are_erased_a_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "MOST_AT_ONCE", 2)
    ids = [a_person(f"C-{n}/home") for n in range(5)]

    told = erase(*ids, ids[0])

    assert [one.fate for one in told] == ["erased"] * 5
    assert Person.objects.filter(name="").count() == 5


def test_the_database_refuses_to_fill_an_erased_row_or_to_erase_half_of_one() -> None:
    erased, whole = a_person("C-1/home"), a_person("C-2/home")
    erase(erased)

    with pytest.raises(IntegrityError, match="sagas_person_erased_is_empty"), transaction.atomic():
        Person.objects.filter(pk=erased).update(email="ada@example.org")
    with pytest.raises(IntegrityError, match="sagas_person_erased_is_empty"), transaction.atomic():
        Person.objects.filter(pk=whole).update(erased_at=NOW, name="", email="", address={})


# --- waiting ------------------------------------------------------------------------------------------------


def test_who_is_still_needed_stays_readable_until_the_last_need_has_ended(uses: dict[UUID, Use]) -> None:
    person_id = a_person()
    uses[person_id] = Use(3, 1)

    told = erase(person_id)
    early = erase_waiting(now=NOW)
    uses[person_id] = Use(3, 0)
    due = erase_waiting(now=LATER)

    assert told == [Erased(person_id, "waiting", {"cases": Use(3, 1)})]
    assert (early, due) == (0, 1)
    assert Person.objects.get().erased_at == LATER
    assert Erasure.objects.count() == 0
    assert facts(person_id) == [
        ("sagas.ErasureRequested", "olga", "asked by letter"),
        ("sagas.PersonErased", "olga", "asked by letter"),
    ]


def test_while_one_waits_the_data_can_be_read_and_new_needs_go_to_a_new_row(uses: dict[UUID, Use]) -> None:
    person_id = a_person()
    uses[person_id] = Use(1, 1)
    erase(person_id)

    again = a_person()

    assert again != person_id
    assert read_people([person_id])[person_id].address == {"street": "Long Road 1"}
    assert Person.objects.get(pk=person_id).reference == f"erased/{person_id}"


def test_asking_twice_while_one_waits_is_asked_once(uses: dict[UUID, Use]) -> None:
    person_id = a_person()
    uses[person_id] = Use(1, 1)

    erase(person_id)
    erase(person_id, reason="asked again")

    assert Erasure.objects.get().reason == "asked by letter"
    assert facts(person_id) == [("sagas.ErasureRequested", "olga", "asked by letter")]


def test_asked_again_when_nothing_is_open_any_more_it_is_done_at_once(uses: dict[UUID, Use]) -> None:
    person_id = a_person()
    uses[person_id] = Use(1, 1)
    erase(person_id)
    uses[person_id] = Use(1, 0)

    told = erase(person_id, reason="asked again")

    assert told[0].fate == "erased"
    assert Erasure.objects.count() == 0
    assert facts(person_id)[1:] == [("sagas.PersonErased", "olga", "asked again")]


def test_whoever_waits_long_holds_up_nobody(uses: dict[UUID, Use], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "MOST_AT_ONCE", 2)
    ids = [a_person(f"C-{n}/home") for n in range(5)]
    uses.update(dict.fromkeys(ids, Use(1, 1)))
    erase(*ids)
    uses[ids[4]] = Use(1, 0)

    handled = erase_waiting(now=LATER)

    assert handled == 1
    assert list(Person.objects.filter(name="").values_list("pk", flat=True)) == [ids[4]]


# --- finding ------------------------------------------------------------------------------------------------


def test_all_rows_of_a_customer_are_found_and_nobody_elses() -> None:
    mine = [a_person("C-1/home"), a_person("C-1/work"), a_person("C-1")]
    a_person("C-1/x/home")
    a_person("C-10/home")
    a_person("C-1/home", shop_id=uuid7())

    assert sorted(find_people(shop_id=SHOP, reference="C-1")) == sorted(mine)


@pytest.mark.parametrize("reference", ["50%_off", r"back\slash", "ann@example.org", "guest/R-1"])
def test_a_reference_means_itself_whatever_is_in_it(reference: str) -> None:
    wanted = a_person(f"{reference}/home")
    a_person("50 or_off/home")
    a_person("backslash/home")
    a_person("guest/R-2/home")

    assert find_people(shop_id=SHOP, reference=reference) == [wanted]


def test_an_address_is_found_in_any_case_in_all_shops_or_in_one() -> None:
    other = uuid7()
    here, there = a_person("C-1/a", email="Ada@Example.org"), a_person("C-2/a", shop_id=other)
    a_person("C-3/a", email="someone@example.org")

    assert sorted(find_people(email="ada@EXAMPLE.org")) == sorted([here, there])
    assert find_people(email="ada@example.org", shop_id=other) == [there]


@pytest.mark.parametrize("asked", [{}, {"reference": "C-1"}, {"shop_id": SHOP}, {"email": ""}])
def test_too_little_to_go_by_finds_nobody_but_an_error(asked: dict[str, object]) -> None:
    a_person(email="")

    with pytest.raises(ValueError, match="shop and reference"):
        find_people(**asked)  # type: ignore[arg-type]


# --- the command --------------------------------------------------------------------------------------------

WHO = ("--actor", "olga", "--reason", "asked by letter")


def test_the_command_says_whom_it_erases_by_id_only(uses: dict[UUID, Use]) -> None:
    person_id = a_person()
    uses[person_id] = Use(2, 0)

    dry = command("--email", "ada@example.org", "--dry-run")
    kept = Person.objects.get().name
    done = command("--shop", str(SHOP), "--reference", "C-1", *WHO)

    assert dry == f"{person_id}: cases: 2, open: 0; would be erased\n"
    assert kept == "Ada Example"
    assert done == f"{person_id}: cases: 2, open: 0; erased\n"
    assert Person.objects.get().name == ""


def test_the_command_lists_who_waits(uses: dict[UUID, Use]) -> None:
    person_id = a_person()
    uses[person_id] = Use(2, 1)

    told = command("--id", str(person_id), *WHO)

    assert told == f"{person_id}: cases: 2, open: 1; will be erased when those have ended\n"
    assert command("--waiting").startswith(f"{person_id}: asked by olga at ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--email", "nobody@example.org", *WHO), "Nobody is kept under that"),
        (("--reference", "C-1", *WHO), "needs --shop"),
        (("--email", "", *WHO), "may be empty"),
        (("--email", "ada@example.org"), "needs --actor and --reason"),
        ((), "one of the arguments"),
    ],
)
def test_the_command_does_nothing_by_half(arguments: tuple[str, ...], said: str) -> None:
    a_person()

    with pytest.raises(CommandError, match=said):
        command(*arguments)

    assert Person.objects.get().name == "Ada Example"


def test_the_help_warns_that_the_reason_is_kept_for_ever() -> None:
    told = (
        load_command_class("sagas", "erase_person").create_parser("manage.py", "erase_person").format_help()
    )

    assert "Actor and reason stay in the log for ever: never write" in told


def test_foreseeing_changes_nothing() -> None:
    person_id = a_person()

    assert foresee([person_id]) == [Erased(person_id, "erased", {})]
    assert Person.objects.get().name == "Ada Example"
