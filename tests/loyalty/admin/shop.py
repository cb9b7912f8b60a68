"""A shop at work behind the admin page: real loyalty, and checkouts that it decided."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import grpc
import uuid_utils.compat as uuids
from google.protobuf.timestamp_pb2 import Timestamp

from bonpunkt.loyalty.v1 import ledger_pb2 as ledger_pb
from bonpunkt.loyalty.v1 import staff_pb2 as staff_pb
from bonpunkt.loyalty.v1.ledger_pb2_grpc import LedgerServiceStub
from bonpunkt.loyalty.v1.staff_pb2_grpc import StaffServiceStub
from bonpunkt.till.v1 import till_pb2 as till
from services.runtime.grpc import Metadata
from tests.servers.suite import Member

PASSWORD = "correct horse battery"
WITHIN_S = 30.0
BUSINESS_DATE = dt.datetime.now(dt.UTC).astimezone(ZoneInfo("Europe/Berlin")).date().isoformat()


@dataclass(frozen=True, slots=True)
class Article:
    text: str
    category: str
    total_minor: int
    vat_rate_key: str
    quantity_milli: int = 1000


BASKET = (
    Article("Vollmilch 3,5 %", "DAIRY", 129, "DE_7"),
    Article("Äpfel Elstar", "PRODUCE", 342, "DE_7", 1370),
    Article("Kaffee Crema 1 kg", "GROCERY", 1499, "DE_7"),
    Article("Waschmittel flüssig", "DRUG GM", 1099, "DE_19"),
    Article("Pfandrückgabe", "DEPOSIT", -150, "DE_19", 6000),
)


class Shop:
    """Talks to loyalty as a gateway and the command line do."""

    def __init__(self, target: str, metadata: Metadata) -> None:
        self.target = target
        self.metadata = metadata
        self.channel = grpc.insecure_channel(target)
        self._receipts = iter(range(1, 10**9))

    def add_staff(self, name: str, role: str) -> None:
        request = staff_pb.AddStaffRequest(name=name, password=PASSWORD, role=role)
        StaffServiceStub(self.channel).AddStaff(request, metadata=self.metadata, timeout=WITHIN_S)

    def check_out(
        self,
        member: Member,
        *,
        articles: tuple[Article, ...] = BASKET,
        redeem: int | None = None,
        times: int = 1,
    ) -> till.Decision:
        """A purchase at till-1. `redeem`: so many points; 0 means as many as possible."""
        capture = till.Capture(card=member.card, basket=self._basket(articles, times=times))
        if redeem is not None and redeem > 0:
            capture.redeem_points = redeem
        elif redeem is not None:
            capture.redeem_maximum = True
        return self.do(till.Operation(capture=capture))

    def abandon(self) -> till.Decision:
        """Gives up an operation that was never heard of."""
        return self.do(till.Operation(abandon=till.Abandon(operation_id=str(uuids.uuid7()))))

    def reserve(self, member: Member, *, redeem: int) -> till.Decision:
        reserve = till.Reserve(card=member.card, basket=self._basket(BASKET, times=1))
        reserve.redeem_points = redeem
        return self.do(till.Operation(reserve=reserve))

    def give_back(self, capture_id: str, *lines: str) -> till.Decision:
        """Whole lines of an earlier receipt; all that is left of it if none are named."""
        return self.do(
            till.Operation(
                return_items=till.Return(
                    receipt=till.ReceiptReference(capture_id=capture_id),
                    lines=[till.ReturnLine(line_id=line) for line in lines],
                    receipt_number=f"R{next(self._receipts)}",
                    business_date=BUSINESS_DATE,
                )
            )
        )

    def void(self, capture_id: str) -> till.Decision:
        receipt = till.ReceiptReference(capture_id=capture_id)
        return self.do(
            till.Operation(void_receipt=till.Void(receipt=receipt, business_date=BUSINESS_DATE))
        )

    def do(self, operation: till.Operation) -> till.Decision:
        """The decision on what till-1 asks."""
        operation.id = operation.id or str(uuids.uuid7())
        operation.timeout_ms = 20_000
        operation.occurred_at.CopyFrom(_now())
        request = ledger_pb.CommitRequest(
            operations=[
                ledger_pb.TillOperation(
                    token=1,
                    terminal_id="till-1",
                    store_id="store-1",
                    operation=operation.SerializeToString(),
                )
            ]
        )
        answers = LedgerServiceStub(self.channel).Commit(
            iter([request]), metadata=self.metadata, timeout=WITHIN_S
        )
        return till.Decision.FromString(next(iter(answers)).decisions[0].decision)

    def _basket(self, articles: tuple[Article, ...], *, times: int) -> till.Basket:
        lines = [
            till.LineItem(
                line_id=f"{number}",
                article_number=f"40001{number:03}",
                text=article.text,
                category=article.category,
                quantity_milli=article.quantity_milli * times,
                total_minor=article.total_minor * times,
                vat_rate_key=article.vat_rate_key,
            )
            for number, article in enumerate(articles, start=1)
        ]
        return till.Basket(
            basket_id=str(uuids.uuid7()),
            receipt_number=f"R{next(self._receipts)}",
            business_date=BUSINESS_DATE,
            currency="EUR",
            total_minor=sum(line.total_minor for line in lines),
            line_items=lines,
        )


def _now() -> Timestamp:
    now = Timestamp()
    now.FromDatetime(dt.datetime.now(dt.UTC))
    return now
