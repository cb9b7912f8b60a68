"""What `bonpunkt up --demo` says last, in this order."""

LAST_LINE = [
    "baskets",
    "checkouts_per_s",
    "p50_ms",
    "p99_ms",
    "points_earned",
    "points_redeemed",
    "same_basket_redemptions",
    "refused",
    "enrolled",
    "reserved",
    "released",
    "voided",
    "returned",
    "points_restored",
    "points_taken_back",
    "settled_by_night",
    "deliveries_expected",
    "deliveries_verified",
    "books_balance",
    "seconds",
]
