"""A day with the admin page in a real browser, while tills are at work and webhooks are sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from playwright.async_api import ConsoleMessage, Page, Request, expect

from bonpunkt.loyalty.v1 import staff_pb2, staff_pb2_grpc
from bonpunkt.till.client import Till
from bonpunkt.till.v1 import till_pb2 as pb
from services.demo.mapping import Shopper
from services.runtime.grpc import channel
from tests.end_to_end import recorded
from tests.end_to_end.ledger import Ledger, ledger_of
from tests.end_to_end.receivers import LOOPBACK_ALLOWED, NAMES, Receivers, running_receivers
from tests.servers.suite import CALL_WITHIN_S, Suite

NAME, PASSWORD = "anna", "correct horse battery"
WITHIN_MS = 20_000.0

# What the page itself cannot hide: its policy says so to the page, not always to the console.
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation",
  (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


@dataclass(slots=True)
class Complaints:
    """Errors of scripts, breaches of the page's policy, and requests that failed."""

    found: list[str] = field(default_factory=list)

    async def listen_to(self, page: Page) -> None:
        await page.add_init_script(REPORT_VIOLATIONS)
        page.on("console", lambda message: self._hear(message))
        page.on("pageerror", lambda error: self.found.append(f"script: {error}"))
        page.on("requestfailed", lambda request: self._hear_of_failure(request))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"{message.type}: {message.text}")

    def _hear_of_failure(self, request: Request) -> None:
        """A page that is left gives up what it still asked for; that is no failure."""
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"failed: {request.url}: {request.failure}")


@dataclass(frozen=True, slots=True)
class Shop:
    """The house with one till, and one shopper who comes again and again."""

    suite: Suite
    ledger: Ledger
    receivers: Receivers
    till: Till
    shopper: Shopper
    purchases: list[recorded.Checkout]

    async def check_out(self, number: int, *, redeems: bool = False) -> pb.Captured:
        purchase = replace(self.purchases[number], redeems=redeems)
        decision = await self.till.settle(purchase.capture())
        assert decision.HasField("captured")
        return decision.captured


@asynccontextmanager
async def _open_shop(folder: Path, *, database: str) -> AsyncIterator[Shop]:
    purchases = list(recorded.worth(500, recorded.of_regulars(60, households=1)))
    async with (
        Suite(
            folder, database=database, notifier=True, admin=True, settings=LOOPBACK_ALLOWED
        ) as suite,
        running_receivers(suite) as receivers,
        ledger_of(suite) as ledger,
    ):
        terminal = await suite.add_terminal("kasse-1", store_id="store-7")
        await _add_manager(suite)
        (shopper,) = await recorded.enrol(suite, purchases)
        async with Till(
            suite.gateway_target, terminal_id=terminal.terminal_id, secret=terminal.secret
        ) as till:
            yield Shop(suite, ledger, receivers, till, shopper, purchases)


async def _add_manager(suite: Suite) -> None:
    async with channel(suite.loyalty_target) as loyalty:
        await staff_pb2_grpc.StaffServiceStub(loyalty).AddStaff(
            staff_pb2.AddStaffRequest(name=NAME, password=PASSWORD, role="manager"),
            metadata=suite.metadata,
            timeout=CALL_WITHIN_S,
        )


async def test_a_manager_sees_what_happens_and_why(
    tmp_path: Path, database: str, chromium_page: Page
) -> None:
    page, complaints = chromium_page, Complaints()
    await complaints.listen_to(page)
    page.set_default_timeout(WITHIN_MS)
    expect.set_options(timeout=WITHIN_MS)
    async with _open_shop(tmp_path / "var", database=database) as shop:
        await _sign_in(page, shop)
        await _watch_checkouts_arrive(page, shop)
        redeemed = await shop.check_out(2, redeems=True)
        latest = await shop.check_out(3)
        await _find_the_member(page, shop, points=latest.member.points)
        await _read_why(page, shop, redeemed)
        await _see_deliveries(page, shop)
        await _switch_language(page)
        await _block_and_unblock(page, shop)
        await _sign_out(page, shop)
    assert complaints.found == []


async def _sign_in(page: Page, shop: Shop) -> None:
    """The browser asks for German; whoever is not signed in sees nothing."""
    await page.goto(shop.suite.admin_url)
    await expect(page.locator("h1")).to_have_text("Anmelden")
    await expect(page.locator("#latest")).to_have_count(0)
    await page.fill("#name", NAME)
    await page.fill("#password", PASSWORD)
    await page.click("#sign-in")
    await expect(page.locator("h1")).to_have_text("Einkäufe")
    await expect(page.locator("#figure-captures")).to_have_text("0")


async def _watch_checkouts_arrive(page: Page, shop: Shop) -> None:
    """Nobody reloads the page; what is new is marked as new."""
    await page.evaluate("window.isTheSamePage = true")
    for number in (0, 1):
        captured = await shop.check_out(number)
        await expect(page.locator("#figure-captures")).to_have_text(str(number + 1))
        newest = page.locator("#latest tbody tr.is-new").first
        await expect(newest).to_contain_text("kasse-1")
        await expect(newest).to_contain_text(f"+{captured.points_earned}")
    assert await page.evaluate("window.isTheSamePage") is True


async def _find_the_member(page: Page, shop: Shop, *, points: int) -> None:
    """By card number: points, lots, the journal of operations."""
    await page.fill("#search", shop.shopper.card)
    await page.press("#search", "Enter")
    await expect(page.locator("#member-status")).to_have_text("aktiv")
    assert shop.shopper.card not in page.url
    await expect(page.locator("#points")).to_have_text(str(points))
    await expect(page.locator("#cards")).to_contain_text(shop.shopper.card)
    member = await shop.ledger.member(shop.shopper.card)
    lots = page.locator("#lots tbody tr")
    await expect(lots).to_have_count(len(member.lots))
    await expect(lots.first).to_contain_text(str(member.lots[0].points))
    rows = page.locator("#journal tbody tr")
    await expect(rows).to_have_count(5)
    await expect(rows.last).to_contain_text("Beitritt")


async def _read_why(page: Page, shop: Shop, redeemed: pb.Captured) -> None:
    """The decision explained: what was asked, what was there, what this very basket gave."""
    await page.locator("#journal tbody tr").nth(1).get_by_role("link", name="Warum?").click()
    why = page.locator("#why")
    await expect(why).to_contain_text("so viele Punkte wie möglich")
    await expect(why).to_contain_text(str(redeemed.points_redeemed))
    await expect(why).to_contain_text(str(redeemed.points_earned))
    assert redeemed.points_redeemed_from_basket > 0
    await expect(why).to_contain_text(
        f"{redeemed.points_redeemed_from_basket} davon hat eben dieser Einkauf gebracht."
    )
    lines = page.locator("#basket tbody tr")
    await expect(lines).to_have_count(len(shop.purchases[2].basket.line_items))
    await page.go_back()


async def _see_deliveries(page: Page, shop: Shop) -> None:
    """To the e-mail system and to the CRM: at the member, and all of them."""
    await shop.receivers.have_all_of(shop.ledger)
    changes = (await shop.ledger.overview()).member_changes
    at_member = page.locator("#deliveries tbody tr")

    await page.reload()
    for name in NAMES:
        of_name = at_member.filter(has_text=name).filter(has_text="zugestellt")
        await expect(of_name).to_have_count(changes)
    await page.get_by_role("navigation").get_by_role("link", name="Zustellungen").click()
    await page.get_by_label("Empfänger", exact=True).fill("crm")
    await page.get_by_role("button", name="Zeigen").click()
    listed = page.locator("#deliveries tbody tr")
    await expect(listed).to_have_count(changes)
    await expect(listed.filter(has_text="member.points_changed")).to_have_count(changes - 1)


async def _switch_language(page: Page) -> None:
    for language, heading in (("en", "Deliveries"), ("de", "Zustellungen"), ("en", "Deliveries")):
        await page.click(f"button[name=language][value={language}]")
        await expect(page.locator("html")).to_have_attribute("lang", language)
        await expect(page.locator("h1")).to_have_text(heading)


async def _block_and_unblock(page: Page, shop: Shop) -> None:
    """A blocked member's card is turned away at the till, until the block is lifted."""
    await page.fill("#search", shop.shopper.card)
    await page.get_by_role("button", name="Find").click()
    for status, press, summary in (
        ("blocked", "Block", "Block this member"),
        ("active", "Unblock", "Unblock this member"),
    ):
        await page.get_by_text(summary).click()
        await page.fill("#reason", "the card was reported lost")
        await page.get_by_role("button", name=press, exact=True).click()
        await expect(page.locator("#member-status")).to_have_text(status)
        decision = await shop.till.identify(shop.shopper.card)
        assert decision.HasField("refused" if status == "blocked" else "identified")
    await expect(page.locator("#journal tbody tr").first).to_contain_text("Unblocked")


async def _sign_out(page: Page, shop: Shop) -> None:
    """The session is over, also for whoever goes back."""
    of_member = page.url
    await page.click("#sign-out")
    await expect(page.locator("h1")).to_have_text("Sign in")
    await page.goto(of_member)
    await expect(page.locator("h1")).to_have_text("Sign in")
    await expect(page.locator("#points")).to_have_count(0)
