"""F21: a signature proves who sent a body, and when. Nothing else opens the door."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from sagas.inbox.signing import MOST_SIGNATURES, BadSignature, TimedHmac

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = '{"id":"evt_1","amount":1250,"name":"Zoë"}'.encode()


def by_hand(secret: str, stamp: str, body: bytes) -> str:
    """The scheme as its description says, apart from our code."""
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


GOOD = f"t={STAMP},v1={by_hand('whsec_new', STAMP, BODY)}"


def verdict(
    header: str, body: bytes = BODY, *, now: datetime = NOW, secrets: tuple[str, ...] = ("whsec_new",)
) -> str:
    """`proven`, or the code of the refusal."""
    try:
        TimedHmac(secrets, "Sig").verify(body, {"Sig": header}, now=now)
    except BadSignature as error:
        return error.code
    return "proven"


def test_a_body_signed_with_an_active_secret_is_proven() -> None:
    assert verdict(GOOD) == "proven"


@pytest.mark.parametrize("secret", ["whsec_new", "whsec_old"])
def test_f21_during_a_rotation_both_secrets_prove_it(secret: str) -> None:
    header = f"t={STAMP},v1={by_hand(secret, STAMP, BODY)}"

    assert verdict(header, secrets=("whsec_new", "whsec_old")) == "proven"
    assert verdict(header, secrets=("whsec_third",)) == "wrong_signature"


def test_f21_one_right_signature_among_several_is_enough_and_other_schemes_do_not_count() -> None:
    right, wrong = by_hand("whsec_new", STAMP, BODY), by_hand("whsec_x", STAMP, BODY)

    assert verdict(f"t={STAMP},v1={wrong},v1={right}") == "proven"
    assert verdict(f"t={STAMP},v0={right},v1={wrong}") == "wrong_signature"
    assert verdict(f"t={STAMP},v0={right}") == "unreadable_signature"


@pytest.mark.parametrize("at", range(len(BODY)))
def test_f21_no_byte_of_the_body_can_be_another(at: int) -> None:
    altered = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]

    assert verdict(GOOD, altered) == "wrong_signature"


@pytest.mark.parametrize("altered", [BODY[:-1], BODY + b" ", b"", BODY + b"\n", b"\xef\xbb\xbf" + BODY])
def test_f21_a_body_cut_or_lengthened_is_refused(altered: bytes) -> None:
    assert verdict(GOOD, altered) == "wrong_signature"


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_f21_no_sign_of_the_header_can_be_another(at: int) -> None:
    altered = GOOD[:at] + ("0" if GOOD[at] != "0" else "1") + GOOD[at + 1 :]

    assert verdict(altered) != "proven"


@pytest.mark.parametrize(
    "header",
    ["", "t=", f"t={STAMP}", "v1=abc", f"t={STAMP},t={STAMP},v1=00", "t=now,v1=00", "t=-5,v1=00", f"t={'9' * 40},v1=00",
     "t=１７,v1=00", "t=1e9,v1=00", ",,,", "=,=", f"t={STAMP},v1=\udcff"],
)  # fmt: skip
def test_f21_a_header_that_is_none_is_refused_and_raises_nothing_else(header: str) -> None:
    assert verdict(header) in {"no_signature", "unreadable_signature", "out_of_time", "wrong_signature"}


@pytest.mark.parametrize(
    ("off", "said"),
    [(timedelta(0), "proven"), (timedelta(minutes=5), "proven"), (timedelta(minutes=-5), "proven"),
     (timedelta(minutes=5, seconds=1), "out_of_time"), (timedelta(minutes=-5, seconds=-1), "out_of_time")],
)  # fmt: skip
def test_f21_an_old_message_cannot_be_sent_again_nor_one_from_the_future(off: timedelta, said: str) -> None:
    assert verdict(GOOD, now=NOW + off) == said


def test_f21_a_new_time_on_an_old_signature_is_refused() -> None:
    later = NOW + timedelta(hours=1)
    header = GOOD.replace(STAMP, str(int(later.timestamp())), 1)

    assert verdict(header, now=later) == "wrong_signature"


def test_without_a_secret_nothing_is_believed() -> None:
    assert verdict(GOOD, secrets=()) == "no_secret"
    assert verdict(f"t={STAMP},v1={by_hand('', STAMP, BODY)}", secrets=()) == "no_secret"


def test_a_heap_of_signatures_is_not_tried_through() -> None:
    heap = ",".join(["v1=00"] * MOST_SIGNATURES)

    assert verdict(f"t={STAMP},{heap},v1={by_hand('whsec_new', STAMP, BODY)}") == "unreadable_signature"


def test_the_official_client_accepts_and_refuses_the_same() -> None:
    stripe = pytest.importorskip("stripe")
    fresh = str(int(datetime.now(UTC).timestamp()))
    cases = {
        f"t={fresh},v1={by_hand('whsec_new', fresh, BODY)}": True,
        f"t={fresh},v1=00,v1={by_hand('whsec_new', fresh, BODY)}": True,
        f"t={fresh},v1={by_hand('whsec_old', fresh, BODY)}": False,
        f"t={int(fresh) - 301},v1={by_hand('whsec_new', str(int(fresh) - 301), BODY)}": False,
        f"t={fresh},v0={by_hand('whsec_new', fresh, BODY)}": False,
    }

    def theirs(header: str) -> bool:
        try:
            return bool(stripe.WebhookSignature.verify_header(BODY.decode(), header, "whsec_new", 300))
        except stripe.SignatureVerificationError:
            return False

    now = datetime.fromtimestamp(int(fresh), UTC)
    assert {h: theirs(h) for h in cases} == cases
    assert {h: verdict(h, now=now) == "proven" for h in cases} == cases
