"""Short words after something was done, and when it was refused."""

import grpc
from flask_babel import LazyString, lazy_gettext

from services.loyalty.admin.language import gettext
from services.loyalty.admin.peers import Refusal

# By the code that a redirect carries, so that nothing needs to be kept between two pages.
NOTICES: dict[str, LazyString] = {
    "member_blocked": lazy_gettext("The member is blocked."),
    "member_unblocked": lazy_gettext("The member is no longer blocked."),
    "adjusted": lazy_gettext("The points are booked."),
    "adjustment_waits": lazy_gettext("Nothing is booked yet: a second person has to approve."),
    "adjustment_approved": lazy_gettext("Approved, and booked."),
    "adjustment_declined": lazy_gettext("Declined. Nothing was booked."),
    "cards_changed": lazy_gettext("The member's cards are changed."),
    "merged": lazy_gettext("The members are one now."),
    "terminal_blocked": lazy_gettext("The terminal is blocked. Its till is turned away at once."),
    "endpoint_enabled": lazy_gettext("The endpoint is enabled; what was kept back is being sent."),
    "endpoint_disabled": lazy_gettext("The endpoint is disabled; deliveries are kept for it."),
    "redelivered": lazy_gettext("The delivery is in line again."),
    "password_set": lazy_gettext("Your password is replaced, and all your sessions were ended."),
    "signed_out": lazy_gettext("You are signed out."),
}

_FIELDS: dict[str, LazyString] = {
    "name": lazy_gettext("Name: 2 to 64 characters of a-z, 0-9 and . _ -"),
    "password": lazy_gettext(
        "Password: 12 to 128 characters, at least 5 different ones, without your name."
    ),
    "terminal_id": lazy_gettext("Terminal: 1 to 64 characters of A-Z, a-z, 0-9 and . _ -"),
    "store_id": lazy_gettext("Store: 1 to 64 characters of A-Z, a-z, 0-9 and . _ -"),
    "url": lazy_gettext("Address: it has to begin with https://, or with http:// on loopback."),
    "secret": lazy_gettext("Secret: whsec_ and 24 to 64 bytes in base64, or leave it empty."),
    "reason": lazy_gettext("Reason: 3 to 200 characters."),
    "points": lazy_gettext("Points: a whole number, 1 or more."),
    "reason_code": lazy_gettext("Reason: choose one."),
    "new_card": lazy_gettext("Card: 1 to 64 characters, and another one than the lost card."),
    "from_date": lazy_gettext("First day: a day, and so that the period is not too long."),
    "to_date": lazy_gettext("Last day: a day, and none before the first."),
    "business_date": lazy_gettext("Business date: a day."),
}

# By the field that the ledger's refusal names: the form was right, but not for this member now.
_STATES: dict[str, LazyString] = {
    "id": lazy_gettext("This form was sent before with other values. Please fill it in again."),
    "points": lazy_gettext("The member does not have so many points available."),
    "new_card": lazy_gettext("This card belongs to somebody already; hand out another one."),
    "lost_card": lazy_gettext("This is none of the member's cards."),
    "operation_id": lazy_gettext("This was decided before, so nothing was changed."),
    "member_id": lazy_gettext("This member was merged or erased; nothing can be ordered here."),
    "survivor_id": lazy_gettext("One of the two was merged or erased before."),
    "merged_id": lazy_gettext("One of the two was merged or erased before."),
}


def words(refusal: Refusal) -> str:
    """What to tell the visitor; where this page knows no words, loyalty's own, in English."""
    match refusal.code:
        case grpc.StatusCode.ALREADY_EXISTS:
            return gettext("This name is taken; choose another.")
        case grpc.StatusCode.NOT_FOUND:
            return gettext("There is no such thing any more.")
        case grpc.StatusCode.PERMISSION_DENIED if refusal.field == "asked_by":
            return gettext("You asked for this yourself: another person has to decide.")
        case grpc.StatusCode.PERMISSION_DENIED:
            return gettext("Your account may not do this. Ask a manager.")
        case grpc.StatusCode.UNAUTHENTICATED:
            return gettext("Your session has ended. Please sign in again.")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            minutes = max(1, -(-refusal.retry_after_s // 60))
            return gettext(
                "Too many failed attempts. Try again in %(minutes)d min.", minutes=minutes
            )
        case grpc.StatusCode.FAILED_PRECONDITION if refusal.field in _STATES:
            return str(_STATES[refusal.field])
        case _:
            return str(_FIELDS.get(refusal.field, refusal.details))
