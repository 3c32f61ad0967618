"""The carrier: books parcels, makes labels, picks up, delivers. JSON over HTTP.

A booking is one paid label; two bookings of one reference under two keys are two labels, as at a real
carrier. A parcel goes booked → in_transit → delivered, or booked → cancelled; once picked up it stays so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from aiohttp import web

from config.sandbox.desk import Call, Desk
from config.sandbox.gateway import note_effect
from config.sandbox.labels import one_page
from config.sandbox.profiles import Rule
from config.sandbox.wire import Reply, Turned, carrier_error, read_json, reply, whole_number

NOT_SERVED = {"AQ", "Antarctica"}
NOWHERE = "00000"  # no postcode begins like this, in whatever country
PRICES_MINOR = {"standard": (395, 2), "express": (895, 4)}  # a parcel, and each unit in it
MOST_MOVED = 1000
DAYS = {"standard": 3, "express": 1}
SCANNED = (
    "in_transit", "out_for_delivery", "delayed", "ready_for_pickup", "delivery_failed", "return_to_sender",
    "returned", "lost", "delivered",
)  # fmt: skip
REACHED = {"in_transit": {"in_transit", "delivered"}, "delivered": {"delivered"}}


class Carrier:
    """Handlers of /carrier/v1."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.record = desk.record

    def routes(self) -> list[web.RouteDef]:
        base = "/carrier/v1"
        return [
            web.post(f"{base}/shipments", self.book),
            web.get(f"{base}/shipments", self.list_all, allow_head=False),
            web.get(f"{base}/shipments/{{id}}", self.retrieve, allow_head=False),
            web.post(f"{base}/shipments/{{id}}/cancel", self.cancel),
            web.get(f"{base}/shipments/{{id}}/label", self.label, allow_head=False),
            web.get(f"{base}/shipments/{{id}}/tracking", self.tracking, allow_head=False),
            web.post(f"{base}/quotes", self.quote),
            web.post("/sandbox/scans", self.scan),
            web.post(f"{base}/pickups", self.pick_up),
            web.post(f"{base}/deliveries", self.deliver),
        ]

    async def book(self, request: web.Request) -> web.StreamResponse:
        params = await read_json(request)
        origin = f"{request.scheme}://{request.host}"

        def act(_: Rule | None) -> Reply:
            shipment = new_shipment(params, origin, self.desk.director.now())
            self.record.write(
                "INSERT INTO shipment (id, reference, status, body) VALUES (?, ?, 'booked', ?)",
                (shipment["id"], shipment["reference"], json.dumps(shipment)),
            )
            note_effect(self.desk, shipment["reference"], "labels", shipment["id"], shipment["price_minor"])
            return reply(shipment, 201)

        reference = str(params.get("reference", ""))
        return await self.desk.take(request, Call.of(request, "book", reference, act, params))

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        ident = request.match_info["id"]
        reference = self.load(ident)["reference"]
        call = Call.of(request, "find", reference, lambda _: reply(self.load(ident)))
        return await self.desk.read(request, call)

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """Newest first; `reference` narrows, `cursor` goes on, `limit` is up to 100."""
        reference = request.query.get("reference", "")
        call = Call.of(request, "find", reference, lambda _: self._page(request, reference))
        return await self.desk.read(request, call)

    async def quote(self, request: web.Request) -> web.StreamResponse:
        """What each service would cost. Turned away as a booking would be; nothing is kept."""
        params = await read_json(request)
        prices = [price_of({**params, "reference": "quote", "service": service}) for service in PRICES_MINOR]
        return reply({"data": prices}).to_response()

    async def label(self, request: web.Request) -> web.StreamResponse:
        """The label itself, as a PDF, for as long as it has not been given back."""
        shipment = self.load(request.match_info["id"])
        if shipment["status"] == "cancelled":
            raise Turned(carrier_error(409, "label_void", "The label was given back."))
        address = [str(value) for value in shipment["ship_to"].values() if value]
        pdf = one_page([shipment["tracking_number"], shipment["reference"], *address])
        return web.Response(body=pdf, content_type="application/pdf")

    async def tracking(self, request: web.Request) -> web.StreamResponse:
        """Where the parcel stands, and its scans, oldest first."""
        ident = request.match_info["id"]
        call = Call.of(
            request, "find", self.load(ident)["reference"], lambda _: reply(told_of(self.load(ident)))
        )
        return await self.desk.read(request, call)

    async def scan(self, request: web.Request) -> web.StreamResponse:
        """{"id", "status", "at"}: something happens to a parcel, at a moment that may lie back."""
        params = await read_json(request)
        shipment = self.load(str(params.get("id", "")))
        status, at = params.get("status"), whole_number(params.get("at", int(self.desk.director.now())))
        if status not in SCANNED or at is None:
            raise Turned(carrier_error(400, "bad_scan", f"status is one of {', '.join(SCANNED)}."))
        shipment["history"] = sorted(
            [*shipment["history"], {"status": status, "at": at}], key=lambda entry: entry["at"]
        )
        shipment["status"] = shipment["history"][-1]["status"]
        self.record.write(
            "UPDATE shipment SET status = ?, body = ? WHERE id = ?",
            (shipment["status"], json.dumps(shipment), shipment["id"]),
        )
        self._tell(shipment, {"status": status, "at": at})
        await self.record.committed()
        return reply(told_of(shipment)).to_response()

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        params = await read_json(request)
        ident = request.match_info["id"]
        reference = self.load(ident)["reference"]
        call = Call.of(request, "cancel_shipment", reference, lambda _: self._cancel(ident), params)
        return await self.desk.take(request, call)

    async def pick_up(self, request: web.Request) -> web.StreamResponse:
        """Collect booked parcels: {"shipments": [ids]} or {"all": true, "limit": n}.

        The answer names those collected now and, of the ids asked for, those that had been before: a repeat
        tells the same.
        """
        return await self._move(request, "booked", "in_transit", "pickups")

    async def deliver(self, request: web.Request) -> web.StreamResponse:
        """Deliver parcels in transit, chosen as for a pick-up."""
        return await self._move(request, "in_transit", "delivered", "deliveries")

    def load(self, ident: str) -> dict[str, Any]:
        """The shipment as it stands. Turns the request away with a 404 when there is none."""
        found = self.record.row("SELECT body FROM shipment WHERE id = ?", (ident,))
        if found is None:
            raise Turned(carrier_error(404, "not_found", f"No shipment {ident!r}."))
        shipment: dict[str, Any] = json.loads(found[0])
        return shipment

    def _cancel(self, ident: str) -> Reply:
        shipment = self.load(ident)
        if shipment["status"] == "cancelled":
            raise Turned(
                carrier_error(409, "already_cancelled", "The label was cancelled before.", shipment=shipment)
            )
        if shipment["status"] != "booked":
            raise Turned(carrier_error(409, "already_picked_up", "The parcel has left.", shipment=shipment))
        self._advance(shipment, "cancelled", "cancellations")
        return reply(shipment)

    async def _move(self, request: web.Request, begin: str, end: str, effect: str) -> web.StreamResponse:
        params = await read_json(request)

        def act(_: Rule | None) -> Reply:
            chosen = self._chosen(params, begin)
            for shipment in chosen:
                if shipment["status"] == begin:
                    self._advance(shipment, end, effect)
            there = [one for one in chosen if one["status"] in REACHED[end]]
            return reply({"data": [{"id": one["id"], "reference": one["reference"]} for one in there]})

        return await self.desk.take(request, Call.of(request, effect, "", act, params))

    def _chosen(self, params: dict[str, Any], status: str) -> list[dict[str, Any]]:
        """All parcels that stand at `status`, oldest first, or those asked for by id, wherever they stand."""
        limit = whole_number(params.get("limit", MOST_MOVED), least=1, most=MOST_MOVED)
        if limit is None:
            raise Turned(carrier_error(400, "bad_limit", f"limit is 1 to {MOST_MOVED}."))
        if params.get("all") is True:
            where, values = "status = ?", [status]
        else:
            values = asked_for(params.get("shipments"))
            where = f"id IN ({','.join('?' * len(values))})"
        rows = self.record.rows(
            f"SELECT body FROM shipment WHERE {where} ORDER BY seq LIMIT ?",  # noqa: S608 - marks only
            [*values, limit],
        )
        return [json.loads(body) for (body,) in rows]

    def _advance(self, shipment: dict[str, Any], status: str, effect: str) -> None:
        now = int(self.desk.director.now())
        shipment["status"] = status
        shipment["history"].append({"status": status, "at": now})
        self.record.write(
            "UPDATE shipment SET status = ?, body = ? WHERE id = ?",
            (status, json.dumps(shipment), shipment["id"]),
        )
        note_effect(self.desk, shipment["reference"], effect, shipment["id"], shipment["price_minor"])
        if status in SCANNED:
            self._tell(shipment, shipment["history"][-1])

    def _tell(self, shipment: dict[str, Any], scan: dict[str, Any]) -> None:
        said = {name: shipment[name] for name in ("id", "reference", "tracking_number")} | scan
        self.desk.tracking.tell("shipment.scanned", said, shipment["reference"])

    def _page(self, request: web.Request, reference: str) -> Reply:
        limit = whole_number(request.query.get("limit", "100"), least=1, most=100)
        below = whole_number(request.query.get("cursor", str(2**53)))
        if limit is None or below is None:
            raise Turned(
                carrier_error(400, "bad_page", "limit is 1 to 100 and cursor comes from an earlier page.")
            )
        where, params = ("AND reference = ?", [reference]) if reference else ("", [])
        rows = self.record.rows(
            f"SELECT seq, body FROM shipment WHERE seq < ? {where} ORDER BY seq DESC LIMIT ?",  # noqa: S608 - constants
            [below, *params, limit + 1],
        )
        return reply(
            {"data": [json.loads(body) for _, body in rows[:limit]], "next_cursor": _next(rows, limit)}
        )


def told_of(shipment: dict[str, Any]) -> dict[str, Any]:
    """A parcel as tracking tells it."""
    return {
        "id": shipment["id"], "reference": shipment["reference"], "status": shipment["status"],
        "tracking_number": shipment["tracking_number"], "scans": shipment["history"],
    }  # fmt: skip


def asked_for(idents: Any) -> list[str]:
    """The ids of a request. Turns away what is not a list of them."""
    if isinstance(idents, list) and len(idents) <= MOST_MOVED and all(isinstance(one, str) for one in idents):
        return idents
    raise Turned(
        carrier_error(400, "bad_shipments", f"shipments is a list of up to {MOST_MOVED} ids, or all: true.")
    )


def _next(rows: Sequence[tuple[Any, ...]], limit: int) -> str | None:
    return str(rows[limit - 1][0]) if len(rows) > limit else None


def price_of(params: dict[str, Any]) -> dict[str, Any]:
    """What one service would cost, for a checked request. Turns away as a booking does."""
    shipment = new_shipment(params, "", 0.0)
    service = shipment["service"]
    return {
        "service": service, "price_minor": shipment["price_minor"], "currency": "EUR", "days": DAYS[service]
    }  # fmt: skip


def new_shipment(params: dict[str, Any], origin: str, now: float) -> dict[str, Any]:
    """A checked booking. Turns it away with 422 when the address is not one it can serve."""
    reference, ship_to = params.get("reference"), params.get("ship_to")
    if not isinstance(reference, str) or not reference:
        raise Turned(carrier_error(422, "reference_missing", "A booking needs a reference."))
    if not isinstance(ship_to, dict) or not ship_to.get("country"):
        raise Turned(carrier_error(422, "address_invalid", "ship_to needs at least a country."))
    if ship_to["country"] in NOT_SERVED:
        raise Turned(carrier_error(422, "country_not_served", f"No service to {ship_to['country']}."))
    if str(ship_to.get("postcode", "")).startswith(NOWHERE):
        raise Turned(carrier_error(422, "address_unknown", "There is no such postcode.", field="postcode"))
    units, parcels = whole_number(params.get("units", 1)), whole_number(params.get("parcels", 1), least=1)
    service = str(params.get("service", "standard"))
    if units is None or parcels is None or service not in PRICES_MINOR:
        raise Turned(carrier_error(422, "service_not_available", "Unknown service, units or parcels."))
    a_parcel, a_unit = PRICES_MINOR[service]
    ident = f"shp_{token_hex(10)}"
    return {
        "id": ident, "reference": reference, "tracking_number": f"WB{token_hex(6).upper()}",
        "status": "booked", "service": service, "parcels": parcels, "units": units, "ship_to": ship_to,
        "metadata": params.get("metadata") or {}, "price_minor": a_parcel * parcels + a_unit * units,
        "label_url": f"{origin}/carrier/v1/shipments/{ident}/label", "created": int(now),
        "history": [{"status": "booked", "at": int(now)}],
    }  # fmt: skip
