"""What commands print: tables for people, JSON for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from rich.console import Console, RenderableType

PIPED_WIDTH = 200  # where nobody's window folds the lines, ids stay whole

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object instead of lines to read."
)


def console() -> "Console":
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(highlight=False, width=width)


def pairs(rows: Iterable[tuple[str, "RenderableType"]]) -> "RenderableType":
    """Names on the left, what they are on the right."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    for name, value in rows:
        grid.add_row(name, value)
    return grid


def table(
    *columns: str, numbers: Sequence[str] = (), title: str | None = None, rows: Iterable[Any] = ()
) -> "RenderableType":
    """`numbers` are the columns whose values stand right-aligned."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def plain(text: str) -> str:
    """Words that somebody typed: brackets in them are no markup."""
    from rich.markup import escape

    return escape(text)


def points(count: int) -> str:
    return f"{count:,}"


def change(count: int) -> str:
    """With its sign; nothing for nothing."""
    if not count:
        return ""
    return f"[green]+{count:,}[/]" if count > 0 else f"[yellow]−{-count:,}[/]"


def money(minor: int, currency: str) -> str:
    """Minor units of an ISO 4217 currency."""
    from decimal import Decimal

    from babel.numbers import get_currency_precision

    return f"{Decimal(minor).scaleb(-get_currency_precision(currency)):,f} {currency}"


def say_json(message: "Message") -> None:
    click.echo(json.dumps(as_object(message), ensure_ascii=False))


def as_object(message: "Message") -> dict[str, Any]:
    """Every field under its name in the contract; numbers are numbers, times are ISO 8601."""
    return {field.name: _plain(message, field) for field in message.DESCRIPTOR.fields}


def _plain(message: "Message", field: Any) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        return [_value(each, field) for each in value]
    if field.message_type is not None and not message.HasField(field.name):
        return None
    return _value(value, field)


def _value(value: Any, field: Any) -> Any:
    if field.message_type is None:
        return value.hex() if isinstance(value, bytes) else value
    if field.message_type.full_name == "google.protobuf.Timestamp":
        return value.ToJsonString()
    return as_object(value)
