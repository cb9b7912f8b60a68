"""Tells e-mail systems, CRMs and whoever else asked of every change of a member, at least once.

`intake` follows loyalty's feed into the database, exactly once; `sender` takes due deliveries out
of the database and posts them as signed webhooks until they are answered with 2xx or are dead.
"""
