"""Members of staff, their passwords and sessions."""

from datetime import timedelta

import grpc
import pytest
from sqlalchemy import select

from bonpunkt.loyalty.v1 import staff_pb2 as pb
from services.loyalty.office import schema, throttle
from services.loyalty.office.sessions import AGE_MAX, IDLE_MAX, USE_RECORDED_EVERY
from tests.loyalty.office.conftest import CLI, PASSWORD, Office, signed_in

OTHER_PASSWORD = "another long password"
INSTANT = timedelta(microseconds=1)


async def refusal(call: grpc.aio.UnaryUnaryCall) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code(), raised.value.details() or ""


async def test_sign_in_answers_who_and_in_which_role(office: Office) -> None:
    await office.add("anna", "manager")

    answer = await office.staff.SignIn(pb.SignInRequest(name="anna", password=PASSWORD))

    assert answer.staff == pb.Staff(name="anna", role="manager")
    checked = await office.staff.CheckSession(pb.CheckSessionRequest(session=answer.session))
    assert checked.staff == answer.staff


async def test_each_sign_in_makes_a_new_session(office: Office) -> None:
    await office.add("anna")

    first, second = await office.sign_in("anna"), await office.sign_in("anna")

    assert first != second
    assert len(first) >= 43, "256 random bits"
    assert await office.is_alive(first)


async def test_the_database_holds_neither_token_nor_password(office: Office) -> None:
    await office.add("anna")
    token = await office.sign_in("anna")

    async with office.engine.connect() as connection:
        rows = [
            *await connection.execute(select(schema.staff)),
            *await connection.execute(select(schema.staff_session)),
            *await connection.execute(select(schema.audit)),
            *await connection.execute(select(schema.sign_in_attempt)),
        ]

    stored = repr([tuple(row) for row in rows])
    assert token not in stored
    assert PASSWORD not in stored
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored


async def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(office: Office) -> None:
    await office.add("anna")
    attempts = [("anna", "wrong"), ("nobody", PASSWORD), ("Not A Name", PASSWORD), ("", "x")]

    answers = [
        await refusal(office.staff.SignIn(pb.SignInRequest(name=name, password=password)))
        for name, password in attempts
    ]

    assert set(answers) == {(grpc.StatusCode.UNAUTHENTICATED, "name or password is wrong")}


async def test_a_password_typed_into_the_name_field_is_not_recorded(office: Office) -> None:
    await refusal(office.staff.SignIn(pb.SignInRequest(name=PASSWORD, password="anna")))

    async with office.engine.connect() as connection:
        audited = [tuple(row) for row in await connection.execute(select(schema.audit))]
        attempts = [tuple(row) for row in await connection.execute(select(schema.sign_in_attempt))]
    assert len(audited) == len(attempts) == 1
    assert PASSWORD not in repr(audited + attempts)


@pytest.mark.parametrize(
    ("idle", "alive"),
    [(IDLE_MAX - USE_RECORDED_EVERY, True), (IDLE_MAX - INSTANT, True), (IDLE_MAX, False)],
)
async def test_a_session_ends_when_it_is_idle_too_long(
    office: Office, idle: timedelta, alive: bool
) -> None:
    await office.add("anna")
    session = await office.sign_in("anna")

    office.clock.move(idle)

    assert await office.is_alive(session) is alive


async def test_use_keeps_a_session_alive_and_watching_does_not(office: Office) -> None:
    await office.add("anna")
    used, watched = await office.sign_in("anna"), await office.sign_in("anna")

    office.clock.move(timedelta(minutes=20))
    assert await office.is_alive(used, passive=False)
    assert await office.is_alive(watched, passive=True)
    office.clock.move(timedelta(minutes=20))

    assert await office.is_alive(used)
    assert not await office.is_alive(watched)


async def test_a_session_ends_at_its_age_however_much_it_is_used(office: Office) -> None:
    await office.add("anna")
    session = await office.sign_in("anna")
    while office.clock.now < office.clock.now.replace(hour=19, minute=40):
        office.clock.move(timedelta(minutes=20))
        assert await office.is_alive(session, passive=False)
    office.clock.move(timedelta(minutes=20) - INSTANT)
    assert await office.is_alive(session, passive=False)

    office.clock.move(INSTANT)

    assert timedelta(hours=12) == AGE_MAX
    assert not await office.is_alive(session, passive=False)


async def test_signing_out_ends_this_session_only_and_may_be_repeated(office: Office) -> None:
    await office.add("anna")
    ended, other = await office.sign_in("anna"), await office.sign_in("anna")

    await office.staff.SignOut(pb.SignOutRequest(session=ended))
    await office.staff.SignOut(pb.SignOutRequest(session=ended))
    await office.staff.SignOut(pb.SignOutRequest(session="never was one"))

    assert not await office.is_alive(ended)
    assert await office.is_alive(other)
    assert [a for a in await office.actions() if a[1] == "staff.sign_out"] == [
        ("staff:anna", "staff.sign_out", "anna")
    ]


async def test_a_new_password_ends_all_sessions_of_that_person(office: Office) -> None:
    await office.add("anna")
    await office.add("berta")
    hers, also_hers = await office.sign_in("anna"), await office.sign_in("anna")
    not_hers = await office.sign_in("berta")

    request = pb.SetPasswordRequest(name="anna", password=OTHER_PASSWORD)
    await office.staff.SetPassword(request, metadata=CLI)

    assert not await office.is_alive(hers)
    assert not await office.is_alive(also_hers)
    assert await office.is_alive(not_hers)
    old = office.staff.SignIn(pb.SignInRequest(name="anna", password=PASSWORD))
    assert (await refusal(old))[0] is grpc.StatusCode.UNAUTHENTICATED
    assert await office.sign_in("anna", OTHER_PASSWORD)


async def test_a_password_is_the_same_in_either_composition_of_its_umlauts(office: Office) -> None:
    request = pb.AddStaffRequest(name="anna", password="Überraschungsei", role="clerk")
    await office.staff.AddStaff(request, metadata=CLI)

    assert await office.sign_in("anna", "U\u0308berraschungsei")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "a"}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"name": "Anna"}, "name"),
        ({"name": "anna meier"}, "name"),
        ({"name": "anna\n"}, "name"),
        ({"password": "x" * 5 + "abcdef"}, "password"),
        ({"password": "abcdefg" * 18 + "abc"}, "password"),
        ({"password": "aaaabbbbccccdddd"}, "password"),
        ({"password": "Anna-Meier-1970"}, "password"),
        ({"role": ""}, "role"),
        ({"role": "root"}, "role"),
    ],
)
async def test_a_malformed_member_of_staff_is_refused_by_field(
    office: Office, change: dict[str, str], field: str
) -> None:
    values = {"name": "anna", "password": PASSWORD, "role": "clerk"} | change

    code, details = await refusal(office.staff.AddStaff(pb.AddStaffRequest(**values), metadata=CLI))

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith(f"{field}: ")
    assert await office.actions() == []


@pytest.mark.parametrize("password", ["twelve chars", "abcdefgh" * 16])
async def test_passwords_of_the_shortest_and_longest_form_are_taken(
    office: Office, password: str
) -> None:
    request = pb.AddStaffRequest(name="anna", password=password, role="clerk")

    await office.staff.AddStaff(request, metadata=CLI)

    assert await office.sign_in("anna", password)


async def test_a_name_is_taken_once(office: Office) -> None:
    await office.add("anna")

    request = pb.AddStaffRequest(name="anna", password=OTHER_PASSWORD, role="manager")
    code, details = await refusal(office.staff.AddStaff(request, metadata=CLI))

    assert code is grpc.StatusCode.ALREADY_EXISTS
    assert details.startswith("name: ")
    assert await office.sign_in("anna", PASSWORD)


async def test_setting_the_password_of_nobody_is_not_found(office: Office) -> None:
    request = pb.SetPasswordRequest(name="nobody", password=PASSWORD)

    code, _ = await refusal(office.staff.SetPassword(request, metadata=CLI))

    assert code is grpc.StatusCode.NOT_FOUND


async def test_clerks_set_their_own_password_and_managers_everybodys(office: Office) -> None:
    await office.add("anna", "manager")
    await office.add("carl")
    clerk, manager = await office.sign_in("carl"), await office.sign_in("anna")
    of_manager = pb.SetPasswordRequest(name="anna", password=OTHER_PASSWORD)
    of_clerk = pb.SetPasswordRequest(name="carl", password=OTHER_PASSWORD)

    code, _ = await refusal(office.staff.SetPassword(of_manager, metadata=signed_in(clerk)))
    await office.staff.SetPassword(of_clerk, metadata=signed_in(clerk))
    await office.staff.SetPassword(of_clerk, metadata=signed_in(manager))

    assert code is grpc.StatusCode.PERMISSION_DENIED


async def test_every_act_names_its_actor_in_the_audit(office: Office) -> None:
    await office.add("anna", "manager")
    await office.sign_in("anna")
    await refusal(office.staff.SignIn(pb.SignInRequest(name="anna", password="wrong")))

    assert await office.actions() == [
        ("cli:root", "staff.add", "anna"),
        ("staff:anna", "staff.sign_in", "anna"),
        ("unknown", "staff.sign_in_failed", "anna"),
    ]


async def test_only_a_page_of_the_audit_is_listed(office: Office) -> None:
    await office.add("anna")
    await office.add("berta")

    newest = await office.staff.ListAudit(pb.ListAuditRequest(page_size=1))
    code, details = await refusal(office.staff.ListAudit(pb.ListAuditRequest(page_size=201)))

    assert [entry.subject for entry in newest.entries] == ["berta"]
    assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, "page_size: 1 to 200")


class TestThrottle:
    """Guessing is slowed, and nobody is locked out for ever."""

    async def fail(self, office: Office, name: str, times: int, *, browser: str = "") -> None:
        metadata = (("bonpunkt-browser", browser),) if browser else ()
        for _ in range(times):
            call = office.staff.SignIn(
                pb.SignInRequest(name=name, password="wrong"), metadata=metadata
            )
            assert (await refusal(call))[0] is grpc.StatusCode.UNAUTHENTICATED

    async def wait_s(self, office: Office, name: str, *, browser: str = "") -> int:
        """The seconds that a refused sign-in with the right password is told to wait."""
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await office.sign_in(name, browser=browser)
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        return int(dict(raised.value.trailing_metadata() or ())["bonpunkt-retry-after-s"])

    async def test_the_last_attempt_may_succeed_and_the_next_is_turned_away(
        self, office: Office
    ) -> None:
        await office.add("anna")
        await self.fail(office, "anna", throttle.FAILURES_OF_A_NAME_MAX - 1)
        assert await office.sign_in("anna"), "a success wipes the slate clean"

        await self.fail(office, "anna", throttle.FAILURES_OF_A_NAME_MAX)

        assert await self.wait_s(office, "anna") == throttle.WINDOW.total_seconds()

    async def test_being_turned_away_does_not_prolong_the_wait(self, office: Office) -> None:
        await office.add("anna")
        await self.fail(office, "anna", throttle.FAILURES_OF_A_NAME_MAX)

        office.clock.move(throttle.WINDOW - timedelta(seconds=1))
        assert await self.wait_s(office, "anna") == 1
        office.clock.move(timedelta(seconds=1))

        assert await office.sign_in("anna")

    async def test_a_browser_that_is_known_is_not_locked_out_by_strangers(
        self, office: Office
    ) -> None:
        await office.add("anna")
        await self.fail(office, "anna", throttle.FAILURES_OF_A_NAME_MAX)

        assert await office.sign_in("anna", browser="hers")
        await self.fail(office, "anna", throttle.FAILURES_OF_A_NAME_MAX, browser="hers")
        assert await self.wait_s(office, "anna", browser="hers")

    async def test_names_do_not_share_their_count(self, office: Office) -> None:
        await office.add("anna")
        await office.add("berta")
        await self.fail(office, "anna", throttle.FAILURES_OF_A_NAME_MAX)

        assert await office.sign_in("berta")

    async def test_guessing_over_many_names_is_slowed_too(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(throttle, "FAILURES_OF_ALL_MAX", 5)
        await office.add("anna")
        for number in range(5):
            await self.fail(office, f"name{number}", 1)

        assert await self.wait_s(office, "anna")
        assert await office.sign_in("anna", browser="hers")

    async def test_attempts_at_the_same_time_do_not_slip_through(self, office: Office) -> None:
        await office.add("anna")
        request = pb.SignInRequest(name="anna", password="wrong")
        calls = [office.staff.SignIn(request) for _ in range(throttle.FAILURES_OF_A_NAME_MAX + 5)]

        codes = [(await refusal(call))[0] for call in calls]

        assert codes.count(grpc.StatusCode.UNAUTHENTICATED) == throttle.FAILURES_OF_A_NAME_MAX
        assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 5

    @pytest.mark.parametrize(("password", "browser"), [("", ""), ("x" * 129, ""), ("x", "é")])
    async def test_a_malformed_sign_in_is_refused_by_field(
        self, office: Office, password: str, browser: str
    ) -> None:
        request = pb.SignInRequest(name="anna", password=password)
        bad_browser = (("bonpunkt-browser", "a b"),) if browser else ()

        code, details = await refusal(office.staff.SignIn(request, metadata=bad_browser))

        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert details.startswith("bonpunkt-browser: " if browser else "password: ")
