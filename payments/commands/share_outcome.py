"""What an intent tells of the one share of it that may be under way."""

from __future__ import annotations

from enum import StrEnum

from payments.gateways.base import Intent, IntentStatus


class Seen(StrEnum):
    """What became of a share, as far as a look at its intent tells."""

    TAKEN = "taken"
    NOTHING = "nothing"  #: All is held as before. A request that is still on its way may take it yet.
    GONE = "gone"  #: The hold has ended without it: nothing can be taken any more.
    CANNOT_BE = "cannot_be"  #: Something was taken that is neither nothing nor the share.
    UNDECIDED = "undecided"


def seen(intent: Intent, *, before_minor: int, share_minor: int) -> Seen:
    """By what was captured beyond what had been before: no other share of the intent is under way."""
    taken = intent.captured_minor - before_minor
    match intent.status:
        case IntentStatus.AUTHORIZED | IntentStatus.CAPTURED if taken == share_minor:
            return Seen.TAKEN
        case IntentStatus.AUTHORIZED if taken == 0:
            return Seen.NOTHING
        case IntentStatus.CAPTURED if taken == 0:
            return Seen.GONE
        case IntentStatus.VOIDED if not before_minor:
            return Seen.GONE
        case IntentStatus.AUTHORIZED | IntentStatus.CAPTURED | IntentStatus.VOIDED:
            return Seen.CANNOT_BE
        case _:
            return Seen.UNDECIDED


def in_words(intent: Intent, *, before_minor: int, share_minor: int) -> str:
    """Why it cannot be."""
    return f"{intent.captured_minor} captured, {before_minor} before a share of {share_minor}"
