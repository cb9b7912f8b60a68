"""The servers that all other tests stand on are real, private and empty."""

from collections.abc import Callable

import aiosqlite
import psycopg
import redis
from playwright.async_api import Page

from tests.servers.postgres import Cluster


def test_the_cluster_keeps_what_it_acknowledges(postgres_cluster: Cluster) -> None:
    """Durability is what is tested; a cluster that may lose commits would prove nothing."""
    with psycopg.connect(postgres_cluster.url("postgres")) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)


def test_the_cluster_is_the_version_that_debian_ships(postgres_cluster: Cluster) -> None:
    with psycopg.connect(postgres_cluster.url("postgres")) as connection:
        assert connection.info.server_version // 10_000 == 15


def test_every_database_is_another_and_empty(make_postgres_database: Callable[[], str]) -> None:
    first, second = make_postgres_database(), make_postgres_database()

    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE mark (number int)")

    assert first != second
    with psycopg.connect(second) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)


async def test_a_database_url_names_a_fresh_database(database_url: str) -> None:
    if database_url.startswith("sqlite+aiosqlite:///"):
        async with aiosqlite.connect(database_url.removeprefix("sqlite+aiosqlite:///")) as file:
            await file.execute("CREATE TABLE mark (number int)")
    else:
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            await connection.execute("CREATE TABLE mark (number int)")


def test_redis_is_empty_at_the_start_of_a_test(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left behind", 1)


test_redis_is_empty_whatever_a_test_before_left = test_redis_is_empty_at_the_start_of_a_test


async def test_the_browser_shows_a_page(chromium_page: Page) -> None:
    await chromium_page.set_content("<h1>Bon</h1>")

    assert await chromium_page.inner_text("h1") == "Bon"
