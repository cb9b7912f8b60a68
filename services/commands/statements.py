"""`bonpunkt member statement` and `bonpunkt terminal end-of-day`: accounts to compare with one's
own.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from services.commands.connection import call, loyalty_option
from services.commands.member import find
from services.commands.showing import (
    change,
    console,
    json_option,
    money,
    pairs,
    plain,
    points,
    say_json,
    table,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bonpunkt.loyalty.v1.journal_pb2 import (
        Balances,
        GetStatementResponse,
        StatementLine,
        TerminalDay,
    )

ACCOUNTS = ("points", "pending", "receivable")
TERMINALS_A_TABLE = 6


@click.command()
@click.argument("who")
@click.option("--from", "from_date", metavar="DATE", help="First day; else 1 January.")
@click.option("--to", "to_date", metavar="DATE", help="Last day; else today.")
@json_option
@loyalty_option
def statement(
    who: str, from_date: str | None, to_date: str | None, as_json: bool, target: str
) -> None:
    """A member's account for a period: opening, every movement, closing."""
    from bonpunkt.loyalty.v1 import journal_pb2 as pb
    from bonpunkt.loyalty.v1 import journal_pb2_grpc as stubs

    today = dt.datetime.now().astimezone().date()
    request = pb.GetStatementRequest(
        member_id=find(target, who).member_id,
        from_date=from_date or today.replace(month=1, day=1).isoformat(),
        to_date=to_date or today.isoformat(),
    )
    answer = call(target, lambda channel: stubs.JournalServiceStub(channel).GetStatement, request)
    if as_json:
        say_json(answer)
        return
    out = console()
    out.print(
        pairs(
            [
                ("member", f"[bold]{request.member_id}[/]"),
                ("period", f"{request.from_date} to {request.to_date} ({answer.time_zone})"),
            ]
        )
    )
    out.print(_statement_table(answer))


def _statement_table(answer: "GetStatementResponse") -> "RenderableType":
    """Accounts on which nothing was and nothing moved are left out."""
    balances = (answer.opening, *(line.balance for line in answer.lines))
    shown = [name for name in ACCOUNTS if name == "points" or any(_of(balances, name))]
    rows = [("", "opening", "", "", *_amounts(answer.opening, shown))]
    rows += [(*_what(line, answer.time_zone), *_moved(line, shown)) for line in answer.lines]
    rows.append(("", "[bold]closing[/]", "", "", *_amounts(answer.closing, shown)))
    columns = [column for name in shown for column in (f"{name} moved", name)]
    return table("time", "what", "where", "receipt", *columns, numbers=columns, rows=rows)


def _of(balances: "Iterable[Balances]", name: str) -> list[int]:
    return [getattr(balance, name) for balance in balances]


def _amounts(balances: "Balances", shown: list[str]) -> list[str]:
    return [text for name in shown for text in ("", f"[bold]{points(getattr(balances, name))}[/]")]


def _moved(line: "StatementLine", shown: list[str]) -> list[str]:
    return [
        text
        for name in shown
        for text in (change(getattr(line.change, name)), points(getattr(line.balance, name)))
    ]


def _what(line: "StatementLine", time_zone: str) -> tuple[str, str, str, str]:
    from zoneinfo import ZoneInfo

    at = line.effective_at.ToDatetime(tzinfo=dt.UTC).astimezone(ZoneInfo(time_zone))
    where = f"{line.store_id} {line.terminal_id}".strip()
    return (
        at.isoformat(sep=" ", timespec="seconds")[:19],
        line.kind,
        where,
        plain(line.receipt_number),
    )


@click.command("end-of-day")
@click.option("--terminal", "terminal_id", default="", help="Only this one; else every terminal.")
@click.option("--business-date", required=True, metavar="DATE", help="As the tills gave it.")
@json_option
@loyalty_option
def end_of_day(terminal_id: str, business_date: str, as_json: bool, target: str) -> None:
    """What terminals did on a business date, to compare with their own totals."""
    from bonpunkt.loyalty.v1 import journal_pb2 as pb
    from bonpunkt.loyalty.v1 import journal_pb2_grpc as stubs

    answer = call(
        target,
        lambda channel: stubs.JournalServiceStub(channel).GetEndOfDay,
        pb.GetEndOfDayRequest(terminal_id=terminal_id, business_date=business_date),
    )
    if as_json:
        say_json(answer)
        return
    if not answer.terminals:
        click.echo(f"no terminal did anything on {business_date}")
        return
    overview = call(
        target,
        lambda channel: stubs.JournalServiceStub(channel).GetOverview,
        pb.GetOverviewRequest(),
    )
    for first in range(0, len(answer.terminals), TERMINALS_A_TABLE):
        days = answer.terminals[first : first + TERMINALS_A_TABLE]
        console().print(_day_table(days, overview.currency))


def _day_table(days: "Sequence[TerminalDay]", currency: str) -> "RenderableType":
    """One column a terminal: a till's printed totals stand under each other, too."""
    figures = [
        ("purchases", [points(day.captures) for day in days]),
        ("  baskets", [money(day.basket_minor, currency) for day in days]),
        ("  points earned", [points(day.points_earned) for day in days]),
        ("  points redeemed", [points(day.points_redeemed) for day in days]),
        ("  paid with points", [money(day.discount_minor, currency) for day in days]),
        ("voids", [points(day.voids) for day in days]),
        ("  baskets", [money(day.voided_basket_minor, currency) for day in days]),
        ("  paid with points", [money(day.voided_discount_minor, currency) for day in days]),
        ("returns", [points(day.returns) for day in days]),
        ("  goods", [money(day.refund_minor, currency) for day in days]),
        ("  paid out", [money(day.refund_money_minor, currency) for day in days]),
        ("points put back", [points(day.points_restored) for day in days]),
        ("points taken back", [points(day.points_taken_back) for day in days]),
        ("members enrolled", [points(day.enrolments) for day in days]),
        ("refusals", [points(day.refusals) for day in days]),
    ]
    names = [f"{day.terminal_id}\n[dim]{day.store_id}[/]" for day in days]
    return table("", *names, numbers=names, rows=[(name, *values) for name, values in figures])
