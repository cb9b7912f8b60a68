"""Short words after something was done, and when it was refused."""

import grpc
from flask_babel import LazyString, lazy_gettext

from services.loyalty.admin.language import gettext
from services.loyalty.admin.peers import Refusal

# By the code that a redirect carries, so that nothing needs to be kept between two pages.
NOTICES: dict[str, LazyString] = {
    "member_blocked": lazy_gettext("The member is blocked."),
    "member_unblocked": lazy_gettext("The member is no longer blocked."),
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
}


def words(refusal: Refusal) -> str:
    """What to tell the visitor; where this page knows no words, loyalty's own, in English."""
    match refusal.code:
        case grpc.StatusCode.ALREADY_EXISTS:
            return gettext("This name is taken; choose another.")
        case grpc.StatusCode.NOT_FOUND:
            return gettext("There is no such thing any more.")
        case grpc.StatusCode.PERMISSION_DENIED:
            return gettext("Your account may not do this. Ask a manager.")
        case grpc.StatusCode.UNAUTHENTICATED:
            return gettext("Your session has ended. Please sign in again.")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            minutes = max(1, -(-refusal.retry_after_s // 60))
            return gettext(
                "Too many failed attempts. Try again in %(minutes)d min.", minutes=minutes
            )
        case _:
            return str(_FIELDS.get(refusal.field, refusal.details))
