"""What a capture came to."""

from services.loyalty.domain.decision import Captured, Entry, Refused


def accepted(entry: Entry | Refused) -> tuple[Entry, Captured]:
    assert isinstance(entry, Entry), entry
    assert isinstance(entry.decision, Captured), entry
    return entry, entry.decision


def refused(result: Entry | Refused) -> Refused:
    found = result.decision if isinstance(result, Entry) else result
    assert isinstance(found, Refused), result
    return found
