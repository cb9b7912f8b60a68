"""Fields of a programme document: each says in words what its value has to be."""

import zoneinfo
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from marshmallow import Schema, fields, missing

TEXT_MAX = 100  # characters of a name


class Checked(fields.Field[Any]):
    """A value that passes `accepts`, or the error says `what` it has to be. It is required unless
    there is a default.
    """

    def __init__(self, what: str, accepts: Callable[[Any], bool], *, default: Any) -> None:
        super().__init__(**presence(default), error_messages=messages(what))
        self._accepts = accepts

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        if not self._accepts(value):
            raise self.make_error("invalid")
        return value


def presence(default: Any) -> dict[str, Any]:
    return {"required": default is missing, "load_default": default, "allow_none": False}


def messages(what: str) -> dict[str, str | list[Any] | dict[Any, Any]]:
    """The same remedy however a field is wrong; one that is missing is called so."""
    wrong = f"has to be {what}"
    return {"invalid": wrong, "null": wrong, "type": wrong, "required": f"is missing; it {wrong}"}


def whole_number(least: int, most: int, hint: str = "", *, default: Any = missing) -> Checked:
    return Checked(
        f"a whole number from {least} to {most}{hint}",
        lambda value: type(value) is int and least <= value <= most,  # True is an int, too
        default=default,
    )


def text() -> Checked:
    return Checked(
        f"a text of 1 to {TEXT_MAX} printable characters, without blanks around it",
        lambda value: (
            isinstance(value, str)
            and 1 <= len(value) <= TEXT_MAX
            and value.isprintable()
            and value == value.strip()
        ),
        default=missing,
    )


def one_of(*choices: str, default: Any = missing) -> Checked:
    return Checked(
        " or ".join(f'"{choice}"' for choice in choices),
        lambda value: value in choices,
        default=default,
    )


def one_of_values(choices: type[Enum], *, default: Any = missing) -> Checked:
    return one_of(
        *[choice.value for choice in choices],
        default=default if default is missing else default.value,
    )


def currency_code() -> Checked:
    return Checked(
        'an ISO 4217 code, such as "EUR"',
        lambda value: (
            isinstance(value, str)
            and len(value) == 3
            and value.isascii()
            and value.isalpha()
            and value.isupper()
        ),
        default=missing,
    )


def zone_name() -> Checked:
    return Checked(
        'the name of an IANA time zone, such as "Europe/Berlin"',
        lambda value: isinstance(value, str) and value in zoneinfo.available_timezones(),
        default=missing,
    )


def a_list(of: fields.Field[Any], what: str, *, default: Any = missing) -> fields.List[Any]:
    return fields.List(of, **presence(default), error_messages=messages(f"a list of {what}"))


def an_object(schema: type[Schema]) -> fields.Nested:
    return fields.Nested(
        schema, **presence(missing), error_messages=messages("a JSON object, in braces")
    )


def optional_object(schema: type[Schema], *, key: str | None = None) -> fields.Nested:
    """An object all of whose keys have defaults; without it they have them too. `key` is its name
    in the document where Python would not have it.
    """
    return fields.Nested(
        schema,
        data_key=key,
        **presence(lambda: schema().load({})),
        error_messages=messages("a JSON object, in braces"),
    )
