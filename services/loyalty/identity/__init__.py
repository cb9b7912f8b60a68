"""The identity vault: who the members are, apart from what they have.

The ledger knows a random id. Name, addresses, birthday and consents are here, each person's sealed
with a key of their own; destroying the key is erasing the person. docs/privacy.md tells the whole.
"""
