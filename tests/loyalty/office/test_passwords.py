"""Password hashing never holds up the loop."""

import asyncio

from services.loyalty.office.passwords import Passwords


async def test_the_loop_goes_on_while_passwords_are_hashed() -> None:
    passwords = Passwords()
    hashing = [asyncio.ensure_future(passwords.hash(f"password {n}")) for n in range(4)]
    turns = 0

    while not hashing[-1].done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 4, "the loop turned more often than there were hashes"
    assert len({task.result() for task in hashing}) == 4


async def test_two_hashes_of_one_password_differ_and_both_verify() -> None:
    passwords = Passwords()

    first, second = await passwords.hash("a password"), await passwords.hash("a password")

    assert first != second
    assert await passwords.verify("a password", first)
    assert await passwords.verify("a password", second)
    assert not await passwords.verify("a passwore", first)


async def test_nobody_has_no_password() -> None:
    """Not even the one that unknown names are compared with."""
    assert not await Passwords().verify("the password of nobody", None)
