"""What PostgreSQL had to do about two who waited for each other."""

import psycopg


def deadlocks(url: str) -> int:
    """How many it has broken in this database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        return int(row[0])
