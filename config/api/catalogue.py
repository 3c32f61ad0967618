"""Every code a client of the API may meet, and what to do about it. Codes never change their meaning."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One code. `status` is the HTTP status it comes with."""

    status: int
    title: str
    advice: str


_SAME_KEY = "Send the same request again, under the same key, after Retry-After."
_CORRECT = "Correct the request. Nothing was stored; the same Idempotency-Key may be used."

CATALOGUE: dict[str, Entry] = {
    "api.bad_request": Entry(400, "The request cannot be read", "Check the address and the headers."),
    "api.malformed_json": Entry(
        400,
        "The body is not strict JSON",
        "One document in UTF-8; no NaN, no name twice in one object, nothing nested deeper than 20.",
    ),
    "api.cursor_invalid": Entry(
        400, "The cursor is not one of ours", "Use next_cursor of an earlier page as it is."
    ),
    "api.as_of_invalid": Entry(
        400,
        "as_of is neither a version nor a moment",
        "A version, as in 3, or a time with its offset (RFC 3339).",
    ),
    "api.if_match_invalid": Entry(
        400, "If-Match is malformed", "Send the ETag of an earlier answer as it is, between its quotes."
    ),
    "api.bad_token": Entry(
        400, "The token is not one of ours", "Use Waybill-Position of an earlier answer as it is."
    ),
    "api.idempotency_key_missing": Entry(
        400,
        "The Idempotency-Key is missing",
        "Make one per intended act, such as a UUID, and send it again with every repeat of that act."
        " A key protects its request for seven days.",
    ),
    "api.idempotency_key_invalid": Entry(
        400,
        "The Idempotency-Key is malformed",
        "One header of 1 to 255 visible ASCII characters, without comma or quote.",
    ),
    "api.unauthenticated": Entry(401, "No valid token", "Send Authorization: Bearer with the shop's token."),
    "api.forbidden": Entry(403, "Not allowed", "This token may not do that."),
    "api.not_found": Entry(404, "Not found", "It does not exist, or it belongs to another shop."),
    "orders.not_found": Entry(404, "No such order", "It does not exist, or it belongs to another shop."),
    "orders.return_not_found": Entry(
        404, "No such return", "The order has none of this id, or it belongs to another shop."
    ),
    "orders.not_placed_yet": Entry(
        404,
        "The order did not exist then",
        "`as_of` is before its first event. Ask for a later version or moment.",
    ),
    "orders.no_such_version": Entry(
        404, "The order has not come so far", "`newest` is the version it stands at."
    ),
    "api.method_not_allowed": Entry(
        405, "Method not allowed", "See the description for what an address takes."
    ),
    "concurrency_conflict": Entry(409, "Changed at the same moment", _SAME_KEY),
    "api.request_in_progress": Entry(409, "A twin of this request is at work", _SAME_KEY),
    "orders.duplicate_reference": Entry(
        409,
        "The reference belongs to an earlier order",
        "`order_id` and `order` name it. If this is another order, give it a reference of its own. In bulk the same"
        " order is no conflict, but answered with where it stands.",
    ),
    "orders.order_locked": Entry(
        409, "The order is being changed", "Its saga is at work. Look at the order, then ask again."
    ),
    "orders.already_rejected": Entry(
        409, "The order has ended", "Everything was given back already. There is nothing to cancel."
    ),
    "orders.in_parcels": Entry(
        409,
        "Some of the order may still leave or be cancelled",
        "It is shipped in parcels. Cancel what will not be shipped; once the rest has left, ask again.",
    ),
    "orders.not_in_parcels": Entry(
        409,
        "The order is shipped whole",
        "Only an order that is placed with `ship_in_parcels` has parcels to ask for.",
    ),
    "orders.not_ready_for_parcels": Entry(
        409, "The order is not confirmed, or has ended", "Parcels are asked for once it is confirmed."
    ),
    "orders.on_hold": Entry(
        409, "A person has to look at the order first", "`detail` says at what. Ask again later."
    ),
    "orders.pieces_taken": Entry(
        409,
        "So many pieces are not free",
        "`detail` names the line. The others are in a parcel, cancelled, refunded or returned.",
    ),
    "orders.parcel_under_way": Entry(
        409,
        "A parcel is just being booked",
        "Ask again once its label is bought and its share taken, or refused.",
    ),
    "orders.parcel_ended": Entry(
        409, "The parcel has ended", "It was given up or cancelled before: there is nothing to cancel."
    ),
    "orders.nothing_free": Entry(
        409, "No piece is free", "Every piece is in a parcel, cancelled, refunded or returned."
    ),
    "orders.already_handed_over": Entry(
        409, "The goods are on their way", "Too late to cancel: once they arrive they can be returned."
    ),
    "orders.not_handed_over": Entry(
        409,
        "The goods have not left",
        "There is nothing to return yet, or not so much: what has not left can still be cancelled.",
    ),
    "orders.return_too_late": Entry(
        409, "The time for returns is over", "Only the staff may open this return; ask them."
    ),
    "orders.nothing_to_return": Entry(
        409, "Nothing is left to return", "Every piece was given back or is in an open return of the order."
    ),
    "orders.return_spoken_for": Entry(
        409,
        "So many pieces are not left",
        "`detail` names the line. Others were given back, are in an open return of the order, or wait for the"
        " approval of their refund. What is in an open return is paid by it: withdraw it, or refund an amount.",
    ),
    "orders.return_moved": Entry(
        409,
        "The return stands elsewhere",
        "It was received, inspected or withdrawn before, otherwise than this says. Look at it. Nothing was changed.",
    ),
    "orders.address_fixed": Entry(
        409,
        "The address cannot be corrected any more",
        "Its label was bought, or the order has ended. Cancel it and place it again, or have the parcel sent on.",
    ),
    "orders.address_in_use": Entry(
        409,
        "The carrier is being asked with this address just now",
        "Send the same request again in a moment: then it is known what came of it.",
    ),
    "orders.person_erased": Entry(
        409, "The customer's data were erased", "Nothing is kept for this order any more. Cancel it."
    ),
    "orders.refund_too_large": Entry(
        409,
        "More than is left of the order",
        "`left_minor` is what was neither given back nor waits for a decision. Ask for that or less.",
    ),
    "orders.more_than_ordered": Entry(
        409,
        "More pieces than are left",
        "`detail` names the line and how many of it were not given back yet.",
    ),
    "orders.nothing_to_refund": Entry(
        409,
        "Nothing to refund",
        "Everything was given back or waits for a decision, or these pieces cost nothing.",
    ),
    "illegal_move": Entry(409, "Not possible in this state", "Look at the order's state."),
    "orders.version_moved": Entry(
        412,
        "The order has changed since",
        "`version` and `state` are those of now, and nothing was done. Look at it, then ask again with its ETag.",
    ),
    "api.body_too_large": Entry(413, "The body is too large", "Split the request."),
    "api.too_many_lines": Entry(413, "The body has too many lines", "Split the request. Nothing was stored."),
    "api.media_type_unsupported": Entry(
        415,
        "Unsupported media type",
        "application/json; for stock movements and for orders in bulk application/x-ndjson.",
    ),
    "api.invalid": Entry(
        422,
        "The request is not as described",
        "`errors` names each place, by JSON pointer, and what is wrong.",
    ),
    "api.idempotency_key_reused": Entry(
        422, "The key was used for another request", "Make a new key for a new act."
    ),
    "orders.return_invalid": Entry(
        422, "The lines do not fit", f"`detail` names the line of the order or the return. {_CORRECT}"
    ),
    "orders.invalid": Entry(422, "The order cannot be taken", _CORRECT),
    "orders.refund_invalid": Entry(
        422, "Not a refund", f"The whole order, an amount above zero, or pieces of lines. {_CORRECT}"
    ),
    "orders.no_such_line": Entry(
        422, "The order has no such line", "Look at the order: lines count from 1. Nothing was done."
    ),
    "orders.total_mismatch": Entry(
        422, "The total is not the sum of the parts", f"`detail` names both sums. {_CORRECT}"
    ),
    "orders.amount_invalid": Entry(422, "An amount is out of bounds", _CORRECT),
    "orders.currency_unknown": Entry(422, "The currency is not accepted", _CORRECT),
    "orders.country_invalid": Entry(422, "Not a country", _CORRECT),
    "orders.placed_at_invalid": Entry(422, "placed_at is impossible", _CORRECT),
    "orders.address_empty": Entry(
        422,
        "Nothing of the address is left",
        f"A correction leaves a street or a place: send what it shall be. {_CORRECT}",
    ),
    "orders.text_invalid": Entry(422, "A text is not printable or too long", _CORRECT),
    "orders.nothing_to_ship": Entry(422, "No line of goods", _CORRECT),
    "orders.parcels_need_a_leader": Entry(422, "A choreographed order has no parcels of its own", _CORRECT),
    "orders.parcels_hold_goods": Entry(422, "An order in parcels holds goods only", _CORRECT),
    "orders.too_many_lines": Entry(422, "Too many lines", _CORRECT),
    "orders.too_many_charges": Entry(422, "Too many charges", _CORRECT),
    "orders.line_kind_unknown": Entry(422, "Unknown kind of line", _CORRECT),
    "orders.charge_kind_unknown": Entry(422, "Unknown kind of charge", _CORRECT),
    "api.rate_limited": Entry(429, "Too many requests", _SAME_KEY),
    "api.unexpected": Entry(
        500,
        "A mistake of ours",
        "It was reported, with the correlation id. Repeats under the same key are safe.",
    ),
    "api.read_side_behind": Entry(
        503,
        "The read side has not come so far",
        "What was written is stored; it is not visible yet. Ask again after Retry-After, or without `after`"
        " for what is visible now.",
    ),
    "api.unavailable": Entry(503, "Not now", _SAME_KEY),
    "lost_race": Entry(503, "Another worker was first", _SAME_KEY),
    "webhooks.not_found": Entry(404, "No such endpoint", "It does not exist, or it belongs to another shop."),
    "webhooks.url_refused": Entry(
        422,
        "Webhooks may not go there",
        "An https address on an allowed port, with a host name that leads outside. `detail` says what is wrong.",
    ),
    "webhooks.url_unknown": Entry(
        422, "The host name leads nowhere", "Ask again once the name can be looked up."
    ),
    "webhooks.unknown_event_type": Entry(
        422, "Shops are not told of this", "`/api/v1/webhook-event-types` lists what there is."
    ),
    "webhooks.unknown_event": Entry(
        422, "Not the id of an event", "Send `id` of an earlier message as it is."
    ),
    "webhooks.too_many_endpoints": Entry(
        409, "Too many endpoints", "Delete one, or let one take more types."
    ),
    "webhooks.endpoint_disabled": Entry(409, "The endpoint is disabled", "Enable it first."),
    # Not statuses of requests, but words in the answers to single stock movements.
    "inventory.below_promised": Entry(
        200, "The pieces are promised to orders", "`detail` says how many are free."
    ),
    "inventory.key_reused": Entry(200, "The key was used for another movement", "Make a new key."),
    "inventory.bad_quantity": Entry(200, "Impossible quantity", "Only an adjustment may be below zero."),
    "inventory.bad_sku": Entry(200, "Impossible SKU", "1 to 100 printable characters."),
    "inventory.bad_kind": Entry(200, "Impossible kind", "receipt, adjustment, count or return."),
    "inventory.unknown_location": Entry(200, "No such location", "Ask staff to set it up."),
}
