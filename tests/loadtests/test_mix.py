"""What shoppers do is decided by their number, and makes sense at a till."""

from loadtests import mix
from loadtests.shopper import EXPECTED

MANY = range(20_000)


def test_every_operation_is_asked_for_by_the_first_shoppers() -> None:
    def asked(shoppers: int) -> set[str]:
        return {operation for number in range(shoppers) for operation in mix.visit(number)}

    assert asked(mix.shoppers_min()) == set(mix.OPERATIONS)
    assert asked(mix.shoppers_min() - 1) != set(mix.OPERATIONS)


def test_every_operation_has_an_answer_that_is_expected() -> None:
    assert set(EXPECTED) == set(mix.OPERATIONS)


def test_no_operation_comes_twice_in_a_visit() -> None:
    assert all(len(set(visit)) == len(visit) for visit in map(mix.visit, MANY))


def test_what_refers_to_an_operation_comes_after_it() -> None:
    refers = {"release": "reserve", "status": "capture", "void": "capture"}
    for visit in map(mix.visit, MANY):
        for operation, earlier in refers.items():
            if operation in visit:
                assert visit.index(earlier) < visit.index(operation)


def test_every_shopper_either_pays_or_leaves() -> None:
    assert all(("capture" in visit) != ("abandon" in visit) for visit in map(mix.visit, MANY))


def test_more_comes_to_be_captured_than_is_brought_back() -> None:
    """Else the receipts would run out of which something can come back."""
    visits = [mix.visit(number) for number in MANY]
    kept = sum("capture" in visit and "void" not in visit for visit in visits)

    assert kept > 10 * sum("return" in visit for visit in visits)
