"""Whose traces are kept, which spans hang below which, and that nothing is told unless wished."""

import subprocess
import sys
import uuid

import pytest
import uuid_utils.compat as uuids
from prometheus_client import CollectorRegistry

from services.runtime import tracing
from services.runtime.settings import load
from services.runtime.tracing import (
    Caller,
    Place,
    Tracing,
    TracingSettings,
    caller_in,
    span_id,
    traced,
    traceparent,
)

TRACE = "01a20331-dee4-7595-9032-b81ac60146ae"
SPAN = bytes.fromhex("00f067aa0ba902b7")


def keeping(share: float, *, service: str = "gateway") -> Tracing:
    return Tracing(service, share=share, tell=lambda _: None)


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> TracingSettings | None:
    for name in ("BONPUNKT_OTLP_ENDPOINT", "BONPUNKT_TRACE_SHARE", "BONPUNKT_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load(lambda env: (tracing.read(env),))[0]


async def test_off_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch) is None
    registry = CollectorRegistry()
    async with traced(None, service="gateway", registry=registry) as off:
        assert off is None
    assert list(registry.collect()) == []


def test_a_service_that_tells_no_traces_does_not_load_opentelemetry() -> None:
    """Redis looks for a part that is not installed, and leaves the empty package behind."""
    program = (
        "import sys, services.pos_gateway.__main__, services.loyalty.__main__, "
        "services.notifier.__main__\n"
        "sys.exit(any(name.startswith('opentelemetry.') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://[::1]:4318/", "http://[::1]:4318/v1/traces"),
        ("http://localhost:80/otlp", "http://localhost/otlp/v1/traces"),
    ],
)
def test_the_path_for_traces_is_added(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, url: str
) -> None:
    found = settings(monkeypatch, BONPUNKT_OTLP_ENDPOINT=endpoint)

    assert found is not None
    assert (str(found.endpoint), found.share) == (url, 0.01)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BONPUNKT_OTLP_ENDPOINT", "127.0.0.1:4318", "write http://127.0.0.1:4318"),
        ("BONPUNKT_OTLP_ENDPOINT", "grpc://127.0.0.1:4317", "write http://127.0.0.1:4318"),
        ("BONPUNKT_OTLP_ENDPOINT", "http://", "write http://127.0.0.1:4318"),
        ("BONPUNKT_OTLP_ENDPOINT", "http://[::1:4318", "write http://127.0.0.1:4318"),
        ("BONPUNKT_OTLP_ENDPOINT", "http://10.0.0.7:4318", "write https://"),
        ("BONPUNKT_TRACE_SHARE", "0", "greater than 0"),
        ("BONPUNKT_TRACE_SHARE", "1.01", "less than or equal to 1"),
    ],
)
def test_what_cannot_be_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    words: str,
) -> None:
    with pytest.raises(SystemExit):
        settings(monkeypatch, **{name: value})

    told = capsys.readouterr().err
    assert told.startswith(f"setting {name}: ")
    assert words in told


def test_a_collector_elsewhere_needs_a_ca_to_be_checked_by(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        settings(monkeypatch, BONPUNKT_OTLP_ENDPOINT="https://collector:4318")

    assert "setting BONPUNKT_CA_FILE: " in capsys.readouterr().err


def test_the_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracing, "_is_installed", lambda: False)
    with pytest.raises(SystemExit):
        settings(monkeypatch, BONPUNKT_OTLP_ENDPOINT="http://127.0.0.1:4318")

    assert "pip install 'bonpunkt[otel]'" in capsys.readouterr().err


@pytest.mark.parametrize("new_id", [uuid.uuid4, uuids.uuid7], ids=["version 4", "version 7"])
@pytest.mark.parametrize("share", [0.01, 0.25, 1])
def test_so_many_are_kept_as_asked_also_of_ids_made_in_one_burst(
    new_id: "type[uuid.UUID]", share: float
) -> None:
    """Most ids of version 7 of one millisecond differ only in a counter and in their last 32
    bits.
    """
    ids = [str(new_id()) for _ in range(20_000)]
    kept = sum(keeping(share).keeps(each) for each in ids)

    assert kept == pytest.approx(share * len(ids), rel=0.35)


def test_every_process_keeps_the_same_traces_and_a_larger_share_keeps_them_too() -> None:
    ids = [str(uuids.uuid7()) for _ in range(2_000)]
    of_gateway = {each for each in ids if keeping(0.1).keeps(each)}
    of_loyalty = {each for each in ids if keeping(0.1, service="loyalty").keeps(each)}
    of_more = {each for each in ids if keeping(0.2).keeps(each)}

    assert of_gateway == of_loyalty
    assert of_gateway < of_more


def test_both_ends_of_the_smallest_share() -> None:
    least = keeping(2**-32)

    assert least.keeps("00000000-0000-7000-8000-0000ffffffff")
    assert not least.keeps("ffffffff-ffff-7fff-bfff-fffffffffffe")
    assert keeping(1).keeps("00000000-0000-7000-8000-000000000000")


def test_services_derive_each_others_spans_from_the_trace() -> None:
    gateway, loyalty = keeping(1), keeping(1, service="loyalty")

    assert gateway.place(TRACE, below=None) == Place(span_id(TRACE, of="gateway"), b"")
    assert loyalty.place(TRACE, below="gateway") == Place(
        span_id(TRACE, of="loyalty"), span_id(TRACE, of="gateway")
    )
    assert span_id(TRACE, of="gateway") != span_id(TRACE, of="loyalty")
    assert len(span_id(TRACE, of="gateway")) == 8


def test_what_comes_again_under_its_id_hangs_below_the_first() -> None:
    loyalty = keeping(1, service="loyalty")
    first = loyalty.place(TRACE, below="gateway")
    second, third = (loyalty.place(TRACE, below="gateway") for _ in range(2))

    assert {second.above, third.above} == {first.span_id}
    assert len({first.span_id, second.span_id, third.span_id}) == 3


def test_only_so_many_traces_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "BEGUN_MAX", 2)
    gateway = keeping(1)
    ids = [str(uuids.uuid7()) for _ in range(3)]
    for each in ids:
        gateway.place(each, below=None)

    assert gateway.place(ids[2], below=None).above == span_id(ids[2], of="gateway")
    assert gateway.place(ids[0], below=None).above == b"", "forgotten"


@pytest.mark.parametrize(("sampled", "flags"), [(True, "01"), (False, "00")])
def test_a_header_reads_back(sampled: bool, flags: str) -> None:
    header = traceparent(TRACE, SPAN, sampled=sampled)

    assert header == f"00-01a20331dee475959032b81ac60146ae-00f067aa0ba902b7-{flags}"
    assert caller_in(header) == Caller(uuid.UUID(TRACE).bytes, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
    ],
)
def test_what_is_no_such_header_names_nobody(header: str) -> None:
    assert caller_in(header) is None


def test_a_later_version_of_the_header_may_say_more() -> None:
    header = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"

    assert caller_in(header) == Caller(bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736"), SPAN)
