"""`python docs/trace.py`: draws docs/images/trace.svg from the spans of one real checkout.

Starts the services in a folder of their own, lets sixteen tills check out at once while a receiver
takes the webhooks, collects what the services tell, and draws the checkout of median length. Each
shopper comes once, so that no delivery waits for an earlier one of the same member.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from pathlib import Path

from bonpunkt.till import operations
from bonpunkt.till.client import Till
from tests.end_to_end.receivers import LOOPBACK_ALLOWED, running_receivers
from tests.servers.collector import Collector, Seen, collecting
from tests.servers.suite import Member, Suite
from tests.servers.waiting import eventually

IMAGE = Path(__file__).parent / "images" / "trace.svg"
TILLS, CHECKOUTS = 16, 160
WIDTH, LEFT, RIGHT, ROW = 960, 210, 900, 34
COLOURS = {"gateway": "#2f6f9f", "loyalty": "#3d7d4b", "notifier": "#a8641f"}


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with collecting() as collector:
            trace = await _recorded(Path(folder), collector)
    IMAGE.write_text(drawing(trace), encoding="utf-8")
    print(IMAGE)


async def _recorded(folder: Path, collector: Collector) -> list[Seen]:
    settings = {"BONPUNKT_OTLP_ENDPOINT": collector.endpoint, "BONPUNKT_TRACE_SHARE": "1"}
    async with (
        Suite(folder, notifier=True, settings=LOOPBACK_ALLOWED | settings) as suite,
        running_receivers(suite),
    ):
        terminal = await suite.add_terminal("till-7", store_id="store-3")
        members = await suite.enrol(CHECKOUTS)
        await eventually(lambda: _count(collector, "deliver enrol") == 2 * CHECKOUTS)
        async with Till(
            suite.gateway_target, terminal_id=terminal.terminal_id, secret=terminal.secret
        ) as till:
            shares = [members[first::TILLS] for first in range(TILLS)]
            await asyncio.gather(*(_check_out(till, share) for share in shares))

        await eventually(lambda: _count(collector, "deliver capture") == 2 * CHECKOUTS)
    captures = [span.trace_id for span in collector.spans if span.message.name == "capture"]
    traces = sorted((collector.trace(each) for each in captures), key=_whole_ns)
    return traces[len(traces) // 2]


def _count(collector: Collector, name: str) -> int:
    return sum(span.message.name == name for span in collector.spans)


async def _check_out(till: Till, members: Sequence[Member]) -> None:
    for member in members:
        basket = operations.basket(
            [operations.line_item("1", text="Brot", total_minor=349, vat_rate_key="DE_7")],
            currency="EUR",
            receipt_number=member.card,
            business_date=date(2026, 5, 4),
        )
        await till.settle(operations.capture(member.card, basket))


def drawing(trace: Sequence[Seen]) -> str:
    """Above the whole way; below, enlarged, what the till waited for."""
    begun_ns = trace[0].message.start_time_unix_nano
    ended_ns = begun_ns + _whole_ns(trace)
    waited_ns = trace[0].message.end_time_unix_nano
    lower = 44 + ROW * len(trace) + 40
    parts = [
        *_heading(24, f"one checkout, {trace[0].trace_id}"),
        *_rows(trace, top=44, begun_ns=begun_ns, ended_ns=ended_ns),
        *_heading(lower, "what the till waited for"),
        *_rows(trace[:2], top=lower + 20, begun_ns=begun_ns, ended_ns=waited_ns),
        *_steps(trace[:2], top=lower + 30 + 2 * ROW, begun_ns=begun_ns, ended_ns=waited_ns),
    ]
    height = lower + 50 + 2 * ROW + 18 * 7
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="13">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>\n"])


def _heading(y: int, words: str) -> Iterator[str]:
    yield f'<text x="16" y="{y}" font-weight="bold" fill="#222">{escape(words)}</text>'


def _rows(spans: Sequence[Seen], *, top: int, begun_ns: int, ended_ns: int) -> Iterator[str]:
    for number, span in enumerate(spans):
        y = top + ROW * number
        left = _x(span.message.start_time_unix_nano, begun_ns, ended_ns)
        right = _x(span.message.end_time_unix_nano, begun_ns, ended_ns)
        words = f"{span.service}: {span.message.name}"
        if endpoint := span.attributes.get("bonpunkt.endpoint"):
            words += f" to {endpoint}"
        yield f'<text x="16" y="{y + 17}" fill="#222">{escape(words)}</text>'
        yield f'<line x1="{LEFT}" y1="{y + 26}" x2="{RIGHT}" y2="{y + 26}" stroke="#eee"/>'
        yield (
            f'<rect x="{left:.1f}" y="{y + 4}" width="{max(right - left, 2):.1f}" height="18" '
            f'rx="2" fill="{COLOURS[span.service]}"/>'
        )
        length = f"{_length_ns(span) / 1e6:.1f} ms"
        beyond = right + 60 > WIDTH
        at, anchor = (left - 6, "end") if beyond else (right + 6, "start")
        yield (
            f'<text x="{at:.1f}" y="{y + 17}" fill="#555" text-anchor="{anchor}">{length}</text>'
        )


def _steps(spans: Sequence[Seen], *, top: int, begun_ns: int, ended_ns: int) -> Iterator[str]:
    """The events, each with its time since the till's message came."""
    events = sorted(
        (event.time_unix_nano, event.name, span.service)
        for span in spans
        for event in span.message.events
    )
    texts = []
    for number, (at_ns, name, service) in enumerate(events):
        x, y = _x(at_ns, begun_ns, ended_ns), top + 18 * number
        after = f"{(at_ns - begun_ns) / 1e6:.1f} ms"
        colour = COLOURS[service]
        yield (
            f'<line x1="{x:.1f}" y1="{top - 12}" x2="{x:.1f}" y2="{y + 9}" stroke="{colour}" '
            'stroke-dasharray="2,2"/>'
        )
        yield f'<circle cx="{x:.1f}" cy="{y + 9}" r="3.5" fill="{colour}"/>'
        texts += [
            f'<text x="16" y="{y + 13}" fill="#222">{escape(name)}</text>',
            f'<text x="{x + 8:.1f}" y="{y + 13}" fill="#555" stroke="#fff" stroke-width="4" '
            f'paint-order="stroke">{after}</text>',
        ]
    yield from texts


def _length_ns(span: Seen) -> int:
    return int(span.message.end_time_unix_nano - span.message.start_time_unix_nano)


def _whole_ns(trace: Sequence[Seen]) -> int:
    ended_ns = max(span.message.end_time_unix_nano for span in trace)
    return int(ended_ns - trace[0].message.start_time_unix_nano)


def _x(at_ns: int, begun_ns: int, ended_ns: int) -> float:
    return LEFT + (RIGHT - LEFT) * (at_ns - begun_ns) / (ended_ns - begun_ns)


if __name__ == "__main__":
    asyncio.run(main())
