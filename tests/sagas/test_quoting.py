"""Errors keep their words and lose the rows they quote."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from sagas.ids import uuid7
from sagas.quoting import all_unquoted, unquoted, words_of

pytestmark = pytest.mark.django_db

INSERT = """
INSERT INTO sagas_person (id, shop_id, reference, name, email, address, made_at)
VALUES (%s, %s, %s, %s, '', '{}', now())
"""


def failing(statement: str, *values: UUID | str | None) -> Exception:
    with (
        pytest.raises((IntegrityError, DataError)) as caught,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, values)
    return caught.value


def test_a_row_that_the_database_refuses_is_not_told() -> None:
    error = failing(INSERT, uuid7(), uuid7(), None, "Ada Example")

    assert "Ada Example" in str(error)
    assert words_of(error) == (
        'IntegrityError: null value in column "reference" of relation "sagas_person" violates not-null constraint'
    )


def test_a_statement_that_the_database_points_into_is_not_told() -> None:
    error = failing("SELECT 'Ada Example', 'x'::uuid")

    assert "Ada Example" in str(error)
    assert words_of(error) == 'DataError: invalid input syntax for type uuid: "x"'


def test_what_is_around_it_stays() -> None:
    traceback = (
        "Traceback:\n  File x\nIntegrityError: no\nDETAIL:  Key (name)=(Ada).\n\nDuring this:\n  File y"
    )

    assert unquoted(traceback) == "Traceback:\n  File x\nIntegrityError: no\n\nDuring this:\n  File y"


def test_nested_values_are_searched() -> None:
    told = "no\nDETAIL:  (Ada)"

    assert all_unquoted({"a": [told, {"b": (told, 1)}], "c": None}) == {
        "a": ["no", {"b": ("no", 1)}],
        "c": None,
    }
