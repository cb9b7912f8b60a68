"""The staff side of loyalty: who may use the admin page, which tills may speak, and who did what.

Every act is written together with its audit entry in one transaction. Each of these transactions
begins by locking the head of the audit chain, so that acts of the office happen one after the other
and what is read is still true when it is written. Staff act seldom; nothing on the checkout path
waits for this lock.
"""
