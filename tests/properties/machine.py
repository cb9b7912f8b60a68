"""Programs of a shop, as Hypothesis chooses them: what tills and staff do, what time does, and what
is asked again. After each step the ledger agrees with the model, at the end it verifies.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from bonpunkt.till import operations
from services.loyalty.answers import Answer
from services.loyalty.domain.decision import AlreadyDecided, Burnt
from services.loyalty.quotes import Identify
from tests.loyalty.ledgers import an_abandon, wire
from tests.properties import intents
from tests.properties.intents import STRANGE, Articles, Intent
from tests.properties.modelled import No, RedeemSome
from tests.properties.reckoning import Line, Rules, Tier
from tests.properties.report import Outcomes
from tests.properties.shop import Shop, at
from tests.properties.steps import step_for
from tests.properties.told import told
from tests.properties.world import Step, World

OTHER = bytes(range(32))  # the fingerprint of no request
STEPS = 60  # of a whole program
RESTART_EVERY = 10  # steps, at most
MEMBERS_MAX = 4  # at a time

# --- the programmes -------------------------------------------------------------------------

LEVELS = (Tier("base", 0, 100), Tier("silver", 60, 125), Tier("gold", 300, 200))

rules = st.builds(
    Rules,
    time_zone=st.sampled_from(["Europe/Berlin", "America/Santiago", "Pacific/Auckland"]),
    minor_per_point=st.sampled_from([200, 100, 7]),
    category_percent=st.sampled_from(
        [{}, {"TOBACCO": 0, "DEPOSIT": 0, "PRODUCE": 200}, {"TOBACCO": 50, "DEPOSIT": 100}]
    ),
    net_of_points=st.booleans(),
    value_points=st.just(1),
    value_minor=st.sampled_from([1, 5]),
    redeem_minimum=st.sampled_from([10, 50]),
    redeem_step=st.sampled_from([1, 5, 10]),
    redeem_share_percent=st.sampled_from([100, 80, 33]),
    expiry_months=st.sampled_from([1, 2, 12]),
    expiry_ends=st.sampled_from(["end_of_month", "end_of_quarter", "end_of_year"]),
    return_grace_days=st.sampled_from([0, 30]),
    pending_days=st.sampled_from([0, 0, 14]),
    reservation_s=st.sampled_from([600, 90_000]),
    void_hours=st.sampled_from([None, None, 2, 240]),
    clawback=st.sampled_from(["unlimited", "within_balance", "unlimited", "only_pending"]),
    tiers=st.sampled_from([(), LEVELS]),
    tier_period=st.sampled_from(["calendar_year", "rolling_12_months"]),
    tier_grace_days=st.sampled_from([0, 31]),
)
beginnings = st.sampled_from(
    [
        datetime(2026, 1, 15, 11, tzinfo=UTC),
        datetime(2026, 3, 28, 22, 55, tzinfo=UTC),  # the clocks of Berlin change
        datetime(2026, 9, 5, 3, 50, tzinfo=UTC),  # … those of Santiago, at midnight
        datetime(2027, 12, 31, 22, 52, tzinfo=UTC),
        datetime(2028, 2, 28, 22, 30, tzinfo=UTC),
    ]
)
leaps = st.sampled_from(
    [timedelta(minutes=n) for n in (1, 9, 10, 11)]
    + [timedelta(hours=n) for n in (1, 23, 36)]
    + [timedelta(days=n) for n in (1, 13, 14, 31, 75, 200)]
)


# --- the machine ----------------------------------------------------------------------------


class ShopMachine(RuleBasedStateMachine):
    """One program. `played` counts programs and steps of the run."""

    new_database: ClassVar[Callable[[], str]]
    outcomes: ClassVar[Outcomes]
    played: ClassVar[Counter[str]]

    world: World | None = None
    steps = 0
    restart_after = 0

    @initialize(rules=rules, began=beginnings, salt=st.integers(0, 2**32))
    def open_shop(self, rules: Rules, began: datetime, salt: int) -> None:
        """Two members, with points of an earlier month, of this one, and reserved ones."""
        earlier = began - timedelta(days=27)
        self.world = World(type(self).new_database(), rules, earlier, salt, type(self).outcomes)
        self.shop = Shop(self.world)
        self.burnt: list[str] = []
        self.do(intents.Enrol(120))
        self.do(intents.Enrol(100))
        self.world.move_to(began)
        self.do(intents.Buy(1, ("television", "crate"), None))
        self.do(intents.Reserve(0, ("wine",), "maximum"))

    def teardown(self) -> None:
        type(self).played["programs"] += 1
        type(self).played["steps"] += self.steps
        type(self).played["whole programs"] += self.steps >= STEPS
        if self.world is not None:
            self.world.close()

    @property
    def at_hand(self) -> World:
        assert self.world is not None
        return self.world

    def do(self, *wishes: Intent) -> None:
        self.shop.begin_batch()
        self.shop.serve(*[step_for(self.shop, wish) for wish in wishes])

    @invariant()
    def ledger_and_model_agree(self) -> None:
        """On every member and account; and the rows keep their invariants."""
        self.at_hand.look()
        self.steps += 1

    # --- tills and staff --------------------------------------------------------------------

    @precondition(lambda self: len(self.shop.open_members()) < MEMBERS_MAX)
    @rule(wish=intents.enrol)
    def enrol(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.buy)
    def buy(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.buy)
    def buy_more(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.reserve)
    def reserve(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.reserve_again)
    def reserve_again(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.pay)
    def pay(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.release)
    def release(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.void)
    def void(self, wish: Intent) -> None:
        self.do(wish)

    @precondition(lambda self: self.shop.voidable())
    @rule(place=intents.recent, late=st.booleans())
    def void_at_the_limit(self, place: int, late: bool) -> None:
        """At the last instant, or a microsecond after it; the till's date is that of the
        receipt.
        """
        capture_id, limit = at(self.shop.voidable(), place)
        self.at_hand.move_to(limit + late * timedelta(microseconds=1))
        place = self.shop.place_left(capture_id)
        self.do(intents.Void(place, by_id=late, other_day=False))

    @rule(wish=intents.return_lines)
    def return_lines(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.return_all)
    def return_the_rest(self, wish: Intent) -> None:
        self.do(wish)

    @precondition(lambda self: self.shop.left())
    @rule(wish=intents.buy, gift=st.sampled_from([False, False, True]))
    def run_into_debt(self, wish: intents.Buy, gift: bool) -> None:
        """All points are gone when goods come back that had earned the most; then there are points
        again.
        """
        receipts = self.at_hand.model.receipts
        capture_id = max(
            [each[0] for each in self.shop.left()],
            key=lambda each: receipts[each].earned - receipts[each].claimed,
        )
        owner = self.at_hand.model.follow(self.shop.whose(capture_id))
        self.do(intents.Adjust(self.shop.place_of(owner.member_id), 0))
        self.do(intents.Return(self.shop.place_left(capture_id), by_id=gift, eighths=()))
        if gift:
            self.do(intents.Adjust(self.shop.place_of(owner.member_id), 30))
        elif owner.cards:
            self.do(wish._replace(who=self.shop.place_of_card(owner.cards[0])))

    @precondition(lambda self: self.shop.reserved_now())
    @rule(lost=st.booleans(), redeem=intents.redeem_some, articles=intents.articles)
    def block_meanwhile(self, lost: bool, redeem: RedeemSome, articles: Articles) -> None:
        """Whoever is blocked, or has lost the card, finishes the redemption that had begun. There
        were few points in it, and the basket is larger.
        """
        self.do(intents.ReserveAgain(-1, ("television", *articles), 50, by_same_card=True))
        owner = self.at_hand.model.owner(self.shop.reserved(-1).card)
        who = self.shop.place_of(owner.member_id) if owner is not None else STRANGE
        self.do(intents.Cards(who, "own", "") if lost else intents.Block(who, blocked=True))
        self.do(intents.Pay(-1, 0, redeem, named=True, by_same_card=True))

    @rule(wish=intents.adjust)
    def adjust(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.block | intents.cards)
    def order(self, wish: Intent) -> None:
        self.do(wish)

    @precondition(lambda self: len(self.shop.open_members()) > 2)
    @rule(wish=intents.merge)
    def merge(self, wish: Intent) -> None:
        self.do(wish)

    @precondition(lambda self: len(self.shop.open_members()) > 2)
    @rule(wish=intents.erase)
    def erase(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.mistake)
    def make_a_mistake(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wish=intents.nightly)
    def nightly(self, wish: Intent) -> None:
        self.do(wish)

    @rule(wishes=intents.together)
    def together(self, wishes: list[Intent]) -> None:
        """In one batch: a merge last, since those who were merged are followed a batch later."""
        self.do(*sorted(wishes, key=lambda wish: isinstance(wish, intents.Merge)))

    # --- what writes nothing ----------------------------------------------------------------

    @rule(place=intents.any_of)
    def ask_who(self, place: int) -> None:
        card = self.shop.card(place)
        self.at_hand.ask("identify", Identify(card), self.at_hand.model.identify(card))

    @rule(
        what=st.sampled_from(["status", "a basket", "a reserved basket"]),
        place=intents.recent,
        articles=intents.articles,
    )
    def ask(self, what: str, place: int, articles: Articles) -> None:
        match what:
            case "status":
                self.ask_status(place)
            case "a basket":
                lines = self.shop.ring_up(articles)
                self.ask_quote(self.shop.card(place), self.at_hand.new_id(), lines)
            case "a reserved basket":
                basket = self.shop.reserved(place)
                self.ask_quote(basket.card, basket.basket_id, basket.lines)

    def ask_quote(self, card: str, basket_id: str, lines: Sequence[Line]) -> None:
        operation = operations.quote(card, self.shop.basket(lines, basket_id))
        question = self.shop.command(operation, "till-1")
        self.at_hand.ask("quote", question, self.at_hand.model.quote(card, basket_id, lines))

    def ask_status(self, place: int) -> None:
        """An answer stands as it was given, for ever."""
        answers = {step.command.operation_id: answer for step, answer in self.at_hand.answered}
        operation_id = at([*answers, *self.burnt, self.at_hand.new_id()], place)
        found = self.at_hand.run(self.at_hand.ledger.status(operation_id))
        assert found.answer == answers.get(operation_id)
        assert found.abandoned == (operation_id in self.burnt)
        state = "decided" if found.answer else "abandoned" if found.abandoned else "unknown"
        self.at_hand.outcomes["status", state] += 1

    # --- the same id again ------------------------------------------------------------------

    @rule(
        how=st.sampled_from(["repeat", "repeat", "other content", "abandon", "come late"]),
        place=intents.any_of,
        wish=intents.anything,
    )
    def use_an_id_again(self, how: str, place: int, wish: Intent) -> None:
        step, first = at(self.at_hand.answered, place)
        match how:
            case "repeat":
                self.repeat(step, first)
            case "other content":
                other, its_id = step_for(self.shop, wish), step.command.operation_id
                self.refuse("reuse an id", other, its_id, No("KEY_REUSED"))
            case "abandon":
                self.abandon_too_late(step, first)
            case "come late":
                if len(self.burnt) < 2:
                    self.abandon()
                late, its_id = step_for(self.shop, wish), at(self.burnt, place)
                self.refuse("come late", late, its_id, No("ABANDONED"))

    def repeat(self, step: Step, first: Answer) -> None:
        """Byte for byte, whatever happened since."""
        again = self.at_hand.run(self.at_hand.ledger.answer(step.command))
        assert wire("", again) == wire("", first), f"repeated: {step.words}"
        self.at_hand.outcomes["repeat", "the same answer"] += 1

    def refuse(self, kind: str, step: Step, operation_id: str, expected: No) -> None:
        """Whatever the step asks for, under an id that stands for something else."""
        command = replace(step.command, operation_id=operation_id, fingerprint=OTHER)
        answer = self.at_hand.run(self.at_hand.ledger.answer(command))
        assert answer.decision is not None
        self.at_hand.tell(f"{kind}: {step.words} -> {told(answer.decision)}")
        assert told(answer.decision) == expected
        self.at_hand.outcomes[kind, expected.reason] += 1

    def abandon(self) -> None:
        target_id = self.at_hand.new_id()
        answer = self.at_hand.run(self.at_hand.ledger.answer(an_abandon(target_id)))
        assert answer.decision == Burnt(target_id)
        self.burnt.append(target_id)
        self.at_hand.outcomes["abandon", "Burnt"] += 1

    def abandon_too_late(self, step: Step, first: Answer) -> None:
        target_id = step.command.operation_id
        answer = self.at_hand.run(self.at_hand.ledger.answer(an_abandon(target_id)))
        assert answer.decision == AlreadyDecided(target_id)
        assert answer.original is not None
        assert wire("", answer.original) == wire("", first)
        self.at_hand.outcomes["abandon", "AlreadyDecided"] += 1

    @precondition(lambda self: self.at_hand.model.receipts)
    @rule(place=intents.recent, wish=intents.buy | intents.return_all)
    def print_a_number_again(self, place: int, wish: Intent) -> None:
        """A receipt is captured or returned under the number of another."""
        known = [each for each in self.shop.captures if each[0] in self.at_hand.model.receipts]
        step = step_for(self.shop, wish, misprint=at(known, place)[1:])
        self.shop.serve(step._replace(kind="print a number again"))

    # --- the world --------------------------------------------------------------------------

    @rule(leap=leaps)
    def time_goes_by(self, leap: timedelta) -> None:
        self.at_hand.move_to(self.at_hand.model.now + leap)
        self.at_hand.outcomes["time", "goes by"] += 1

    @rule(place=intents.any_of, early=st.booleans())
    def something_falls_due(self, place: int, early: bool) -> None:
        """To the very instant, or a microsecond before it."""
        model = self.at_hand.model
        due = [model.next_due(member) for member in model.members.values()]
        instants = sorted({each[0] for each in due if each is not None})
        if instants:
            self.at_hand.move_to(at(instants, place) - early * timedelta(microseconds=1))
        self.at_hand.outcomes["time", "falls due" if instants else "goes by"] += 1

    @precondition(lambda self: self.steps >= self.restart_after)
    @rule()
    def restart(self) -> None:
        self.at_hand.restart()
        self.restart_after = self.steps + RESTART_EVERY
        self.at_hand.outcomes["restart", "done"] += 1
