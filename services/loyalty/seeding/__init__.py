"""A big ledger in minutes, to measure on: `bonpunkt seed`. docs/growth.md tells what is in it.

Members and purchases are made up, but decided, booked and chained by the ledger's own code
(`cohorts`); only the way of the rows into the database is another (`copying`, `seed`).
"""
