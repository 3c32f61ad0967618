"""Decline codes in three classes."""

from __future__ import annotations

import pytest

from payments.gateways.declines import _BY_CLASS, CLASSES, DeclineClass, decline_class


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("insufficient_funds", DeclineClass.ASK_CUSTOMER),
        ("expired_card", DeclineClass.ASK_CUSTOMER),
        ("authentication_required", DeclineClass.ASK_CUSTOMER),
        ("generic_decline", DeclineClass.ASK_CUSTOMER),
        ("try_again_later", DeclineClass.RETRY_LATER),
        ("issuer_not_available", DeclineClass.RETRY_LATER),
        ("stolen_card", DeclineClass.FINAL),
        ("fraudulent", DeclineClass.FINAL),
        ("do_not_try_again", DeclineClass.FINAL),
    ],
)
def test_a_known_code_has_its_class(code: str, expected: DeclineClass) -> None:
    assert decline_class(code) == expected


@pytest.mark.parametrize("code", ["", "phase_of_the_moon", "LOST_CARD"])
def test_a_code_nobody_knows_asks_the_customer(code: str) -> None:
    assert decline_class(code) == DeclineClass.ASK_CUSTOMER


def test_no_code_stands_in_two_classes() -> None:
    assert sum(len(codes) for codes in _BY_CLASS.values()) == len(CLASSES) == 55


def test_every_class_is_in_the_table() -> None:
    assert set(_BY_CLASS) == set(DeclineClass)
