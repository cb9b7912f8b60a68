"""What needs no writing: Identify, Quote, Status. Batched by the writer's rule, on a connection of
their own.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.loyalty.answers import Answer, Cause, answer_from_journal
from services.loyalty.clock import Clock
from services.loyalty.domain.basket import Basket
from services.loyalty.domain.capture import usable_points
from services.loyalty.domain.card import accepts, card_not_accepted
from services.loyalty.domain.decision import Refused, Summary, summary
from services.loyalty.domain.due import settle_due
from services.loyalty.domain.member import Member
from services.loyalty.domain.payment import member_weight
from services.loyalty.domain.programme import Programme
from services.loyalty.domain.redemption import Quote, quote
from services.loyalty.domain.value import value
from services.loyalty.keys import Key, card_key, member_bucket, operation_key
from services.loyalty.programmes.versions import Moment, Programmes
from services.loyalty.store import Decided, Reader, StoreLostError
from services.runtime.logs import logger

BATCH_MAX = 512
QUEUE_MAX = 20_000
RETRY_S = 0.1

log = logger(__name__)


@value
class Identify:
    card: str


@value
class QuoteBasket:
    card: str
    basket: Basket


@value
class AskStatus:
    target_id: str


Question = Identify | QuoteBasket | AskStatus


@value
class Identified:
    member: Summary


@value
class Quoted:
    member: Summary
    quote: Quote
    programme: Programme


@value
class Found:
    """What is known of an operation: nothing, its answer, or that its id was burnt."""

    operation_id: str
    answer: Answer | None
    abandoned: bool


@value
class Reply:
    """`result` at `effective_at_us`, or a cause why there is none."""

    result: Identified | Quoted | Found | Refused | None
    effective_at_us: int = 0
    cause: Cause | None = None


@dataclass(slots=True)
class Asked:
    question: Question
    deadline_s: float
    reply: Callable[[Reply], None]


class Quotes:
    """Answers questions from committed state; writes nothing, not even what time has done to a
    member.
    """

    def __init__(
        self,
        reader: Reader,
        programmes: Programmes,
        clock: Clock,
        *,
        observed: Callable[[int, float], None] = lambda *_: None,
    ) -> None:
        """`observed` hears of every batch: questions, and the seconds it took."""
        self._reader, self._programmes, self._clock = reader, programmes, clock
        self._observed = observed
        self._queue: deque[Asked] = deque()
        self._wake = asyncio.Event()
        self._stopping = False

    def submit(self, asked: Asked) -> None:
        if len(self._queue) >= QUEUE_MAX or self._stopping:
            asked.reply(Reply(None, cause=Cause.OVERLOADED))
            return
        self._queue.append(asked)
        self._wake.set()

    async def run(self) -> None:
        while not (self._stopping and not self._queue):
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(BATCH_MAX, len(self._queue)))]
            await self._settle(batch)

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def _settle(self, batch: Sequence[Asked]) -> None:
        """Every one of them is answered or queued again; one that cannot be answered harms no
        other.
        """
        try:
            begun_s = asyncio.get_running_loop().time()
            replies = await self._replies(batch)
            self._observed(len(batch), asyncio.get_running_loop().time() - begun_s)
        except StoreLostError as error:
            log.warning("database lost, questions wait", error=str(error))
            self._queue.extendleft(reversed(batch))
            await asyncio.sleep(RETRY_S)
            self._drop_late()
            return
        except Exception as error:
            if len(batch) > 1:
                half = len(batch) // 2
                await self._settle(batch[:half])
                await self._settle(batch[half:])
                return
            log.error("question cannot be answered", error=repr(error), exc_info=error)
            replies = [Reply(None, cause=Cause.UNAVAILABLE)]
        for asked, reply in zip(batch, replies, strict=True):
            asked.reply(reply)

    def _drop_late(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for asked in self._queue:
            if asked.deadline_s <= now_s:
                asked.reply(Reply(None, cause=Cause.EXPIRED))
        self._queue = deque(asked for asked in self._queue if asked.deadline_s > now_s)

    async def _replies(self, batch: Sequence[Asked]) -> list[Reply]:
        cards = {
            asked.question.card: card_key(asked.question.card)
            for asked in batch
            if not isinstance(asked.question, AskStatus)
        }
        ids = {
            asked.question.target_id: operation_key(asked.question.target_id)
            for asked in batch
            if isinstance(asked.question, AskStatus)
        }
        members = await self._members(list(cards.values())) if cards else {}
        decided = await self._reader.decided(list(ids.values())) if ids else {}
        moment = self._programmes.moment(self._clock.now_us())
        now_s = asyncio.get_running_loop().time()
        replies: list[Reply] = []
        for asked in batch:
            question = asked.question
            if asked.deadline_s <= now_s:
                replies.append(Reply(None, cause=Cause.EXPIRED))
            elif isinstance(question, AskStatus):
                found = _found(question.target_id, decided.get(ids[question.target_id]))
                replies.append(Reply(found, moment.now_us))
            else:
                member = members.get(cards[question.card])
                replies.append(Reply(_told(question, member, moment), moment.now_us))
        return replies

    async def _members(self, cards: list[Key]) -> dict[Key, Member]:
        """Whose the cards are, along all merges."""
        members = await self._reader.card_members(cards)
        while merged := {k: m.merged_into for k, m in members.items() if m.merged_into}:
            wanted = {(member_bucket(member_id), member_id) for member_id in merged.values()}
            found = await self._reader.members(list(wanted))
            members |= {key: found[member_id] for key, member_id in merged.items()}
        return members


def _found(target_id: str, row: Decided | None) -> Found:
    if row is None:
        return Found(target_id, None, abandoned=False)
    if row.operation_id != target_id:
        return Found(target_id, None, abandoned=True)
    return Found(target_id, answer_from_journal(row), abandoned=False)


def _told(
    question: Identify | QuoteBasket, member: Member | None, moment: Moment
) -> Identified | Quoted | Refused:
    if member is None or not accepts(member, question.card):
        return card_not_accepted("identify" if isinstance(question, Identify) else "quote")
    programme = moment.programme
    member, _ = settle_due(member, programme=programme, now_us=moment.now_us, today=moment.today)
    if isinstance(question, Identify):
        return Identified(summary(member))
    offer = quote(
        available=usable_points(member, member.reservation_of(question.basket.basket_id)),
        weight=member_weight(member, question.basket, programme),
        total_minor=question.basket.total_minor,
        programme=programme,
        owed=member.owed,
    )
    return Quoted(summary(member), offer, programme)
