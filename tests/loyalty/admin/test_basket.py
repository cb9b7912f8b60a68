"""The page's line items are those that the ledger stores."""

from services.loyalty.admin.basket import COLUMNS
from services.loyalty.domain.basket import LINE_FIELDS


def test_the_page_knows_the_columns_of_a_stored_line_item() -> None:
    """The pages share no code with the ledger, so each has a list of them."""
    assert COLUMNS == LINE_FIELDS
