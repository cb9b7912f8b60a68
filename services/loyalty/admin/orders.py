"""What the forms have in common by which staff order something of the ledger."""

import uuid

import uuid_utils
from flask import abort, request

POINTS_DIGITS_MAX = 10

ID_CHARACTERS = 36


def new_operation_id() -> str:
    """Made with the form, so that sending it twice orders once."""
    return str(uuid_utils.uuid7())


def operation_id() -> str:
    """That of the form that was sent."""
    found = as_uuid(request.form.get("operation_id", ""))
    if found is None:
        abort(400, "operation id")
    return found


def text(name: str) -> str:
    """A field of the form, without blanks around it."""
    return request.form.get(name, "").strip()


def points(name: str) -> int:
    """A field with a whole number, 0 or more; 0, which no order accepts, if it is none."""
    digits = text(name)
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= POINTS_DIGITS_MAX
    return int(digits) if is_number else 0


def as_uuid(wanted: str) -> str | None:
    """In canonical form. 32 digits without hyphens are a card number's, not an id's, business."""
    if len(wanted) != ID_CHARACTERS:
        return None
    try:
        return str(uuid.UUID(wanted))
    except ValueError:
        return None
