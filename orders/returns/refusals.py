"""What can be said no to about a return, each with a code that clients may branch on."""

from __future__ import annotations

from sagas.verdicts import Refused


class ReturnNotFound(Refused):
    """There is no such return of that order. HTTP 404."""

    code = "orders.return_not_found"


class NotHandedOver(Refused):
    """Nothing, or not so much, of the order has left the house: it can be cancelled, there is nothing to return."""

    code = "orders.not_handed_over"


class ReturnTooLate(Refused):
    """The time for returns is over. A member of the staff may open one all the same."""

    code = "orders.return_too_late"


class NothingToReturn(Refused):
    """Every piece of the order was given back, or is in an open return."""

    code = "orders.nothing_to_return"


class SpokenFor(Refused):
    """So many pieces are not left: the others were given back, are in an open return, or wait for their refund."""

    code = "orders.return_spoken_for"


class ReturnMoved(Refused):
    """The return is not where this act begins; somebody was faster, or it has ended. Nothing was changed."""

    code = "orders.return_moved"


class ReturnInvalid(Refused):
    """The lines do not fit the order or the return. HTTP 422."""

    code = "orders.return_invalid"
