"""Shoppers at simulated tills, for Locust: recorded baskets, arriving at a constant rate.

    locust -f loadtests/locustfile.py --headless --users 32 --spawn-rate 32 --shoppers-per-s 32

Each user is a till. The tills speak to the gateway at --target; they and their members are added
for the run through loyalty, with the installation's service token; the defaults are those of
`make run`. `make load` brings an installation of its own and calls this. The exit code is 1 when a
budget was broken, or when anything was not measured. docs/performance.md tells more.
"""

# ruff: noqa: E402  gevent has to be told to gRPC before anything opens a channel
import loadtests  # noqa: F401, I001  settles how gRPC waits for sockets, before it is imported
import grpc.experimental.gevent
from locust import User, events, task  # patches the standard library
from locust.exception import StopUser

grpc.experimental.gevent.init_gevent()

import itertools
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import gevent  # type: ignore[import-untyped]
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import LocalRunner
from rich.console import Console

from loadtests import budget, load_report, measured
from loadtests.arrivals import Arrivals
from loadtests.calibration import Calibration, calibrate
from loadtests.line import Measurement
from loadtests.load_report import Report
from loadtests.machine import machine
from loadtests.run import Run
from loadtests.shop import Shop
from loadtests.ways import UnansweredError
from services.runtime.tls import CertificateError, load_ca, split_target

TABLE_WIDTH = 118
NATIVE_THREADS = 8  # besides one for each till
console = Console(highlight=False)


@dataclass(slots=True)
class Loading:
    """What the events of one Locust process share; `shop` and `run` once they are there."""

    options: Any = None
    budgets: Mapping[str, budget.Budget] = field(default_factory=dict)
    arrivals: Arrivals | None = None
    shop: Shop | None = None
    run: Run | None = None
    calibration: dict[str, Calibration] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)  # why the run is not valid as a whole


loading = Loading()


class Till(User):
    """Serves its line of shoppers to the end; its number says which, and how it asks."""

    numbers: ClassVar = itertools.count()

    @task
    def serve(self) -> None:
        if loading.run is not None:
            loading.run.serve(next(self.numbers), self._tell)
        raise StopUser

    def _tell(self, measurement: Measurement, way: str) -> None:
        """Locust's own report has the same latencies: from when an operation was due."""
        self.environment.events.request.fire(
            request_type=way,
            name=measurement.operation,
            response_time=measurement.latency_ms,
            response_length=0,
            exception=UnansweredError(measurement.failure) if measurement.failure else None,
            context={},
        )


def add_options(parser: LocustArgumentParser) -> None:
    of = os.environ.get
    parser.add_argument("--target", default=of("TARGET", "127.0.0.1:7701"), help="the gateway")
    parser.add_argument("--loyalty", default=of("LOYALTY", "127.0.0.1:7702"), help="the ledger")
    parser.add_argument(
        "--token-file", type=Path, default=of("BONPUNKT_SERVICE_TOKEN_FILE", "var/service-token")
    )
    parser.add_argument("--ca-file", type=Path, default=of("BONPUNKT_CA_FILE"), help="for TLS")
    parser.add_argument("--shoppers-per-s", type=float, default=32.0, help="who arrive")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they arrive")
    parser.add_argument("--budget", type=Path, default=Path(__file__).with_name("budget.toml"))
    parser.add_argument("--results", type=Path, default=Path("var/load"), help="a folder")
    parser.add_argument("--installation", help="what it is, for the reports; default: --target")
    parser.add_argument("--tell-every-s", type=float, default=5.0, help="progress")


def prepare(environment: Environment, **_: object) -> None:
    """Reads options and budgets; ends with 2 where they make no sense."""
    options = environment.parsed_options
    assert options is not None, "Locust parses the command line first"
    try:
        if not isinstance(environment.runner, LocalRunner) or not options.headless:
            raise ValueError("the lines are kept in one process: use --headless, without workers")
        if options.run_time:
            raise ValueError("the run ends with its shoppers: use --seconds, not --run-time")
        for target in (options.target, options.loyalty):
            if split_target(target)[1] and not options.ca_file:
                raise ValueError(f"{target} is asked by TLS: name its CA by --ca-file")
        loading.options = options
        loading.budgets = budget.read(options.budget)
        loading.arrivals = Arrivals(
            shoppers_per_s=options.shoppers_per_s,
            seconds=options.seconds,
            tills=options.num_users or 1,
        )
    except (ValueError, OSError) as error:
        console.print(str(error), style="red")
        raise SystemExit(2) from None
    # Left to Python, the interrupt ends whoever happens to be at work, and that may be `conduct`.
    gevent.signal_handler(signal.SIGINT, environment.runner.quit)
    # Each call that waits for an answer holds a native thread. With too few of them one that the
    # service does not answer would hold up all others.
    gevent.get_hub().threadpool.maxsize = options.num_users + NATIVE_THREADS


def open_shop(environment: Environment, **_: object) -> None:
    """Adds tills and members; without them no till serves, and the run fails."""
    options, arrivals = loading.options, loading.arrivals
    assert arrivals is not None, "prepared before"
    console.print(f"adding {arrivals.tills} tills, members and receipts at {options.target}")
    try:
        loading.shop = Shop(
            gateway=options.target,
            loyalty=options.loyalty,
            token_file=options.token_file,
            ca=load_ca(options.ca_file) if options.ca_file else None,
            tills=arrivals.tills,
        )
        loading.shop.open()
        _calibrate("before")
        loading.run = Run(arrivals, loading.shop)
    except (grpc.RpcError, UnansweredError, OSError, CertificateError) as error:
        loading.troubles.append(f"the run could not begin: {_words(error)}")
    finally:  # whatever happens, Locust does not end by itself
        threading.Thread(target=conduct, args=(environment,), daemon=True).start()


def conduct(environment: Environment) -> None:
    """Lets the shoppers in, tells how it goes, and ends Locust when the last one has gone."""
    if (run := loading.run) is not None:
        run.open()
        console.print("the tills are open")
        while not run.has_ended(within_s=loading.options.tell_every_s):
            console.print(str(run.snapshot()))
        if run.is_complete:
            console.print(str(run.snapshot()))
            _calibrate("after")
    assert environment.runner is not None
    environment.runner.quit()


def judge(environment: Environment, **_: object) -> None:
    """Writes the reports and decides the exit code."""
    if loading.arrivals is None:
        return
    if loading.shop is not None:
        _close(loading.shop)
    report = _report(loading.arrivals)
    load_report.write(report, loading.options.results)
    Console(width=TABLE_WIDTH).print(load_report.table(report))
    for words in report.broken:
        console.print(f"budget broken: {words}", soft_wrap=True, markup=False)
    if report.kept:
        console.print("every budget was kept")
    console.print(f"reports: {loading.options.results}/report.html, report.json", soft_wrap=True)
    environment.process_exit_code = 0 if report.kept else 1


def _report(arrivals: Arrivals) -> Report:
    options, run = loading.options, loading.run
    measurements = run.measurements if run is not None else []
    asked_by_way = run.asked_by_way if run is not None else {}
    costs = measured.costs(measurements, seconds=arrivals.seconds)
    round_trip_ms = max((c.round_trip_ms for c in loading.calibration.values()), default=0.0)
    broken = budget.broken(
        loading.budgets, costs, round_trip_ms=round_trip_ms, asked_by_way=asked_by_way
    )
    return Report(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        installation=options.installation or options.target,
        machine=machine(Path.cwd()),
        shoppers_per_s=arrivals.shoppers_per_s,
        seconds=arrivals.seconds,
        tills=arrivals.tills,
        calibration=loading.calibration,
        round_trip_ms=round_trip_ms,
        generator_late_p99_ms=measured.generator_late_ms(measurements),
        asked_by_way=asked_by_way,
        operations=costs,
        by_second=measured.by_second(measurements, seconds=arrivals.seconds),
        budgets=loading.budgets,
        broken=[*_troubles(arrivals, measured_count=len(measurements)), *broken],
    )


def _troubles(arrivals: Arrivals, *, measured_count: int) -> list[str]:
    """Why the run is not valid as a whole: what was due and not measured would be left out."""
    due = len(arrivals.timetable())
    faults = [repr(fault) for fault in (loading.run.faults if loading.run is not None else [])]
    short = f"{measured_count:,} of {due:,} operations were measured"
    return [*loading.troubles, *faults, *([short] if measured_count != due else [])]


def _calibrate(when: str) -> None:
    assert loading.shop is not None, "opened before"
    try:
        way, card = loading.shop.unary_way(), loading.shop.cards[0]
        loading.calibration[when] = calibrate(way, card=card)
    except UnansweredError as error:
        loading.troubles.append(f"no calibration {when} the run: {error}")


def _close(shop: Shop) -> None:
    try:
        shop.close()
    except grpc.RpcError as error:
        loading.troubles.append(f"the run's tills could not be blocked: {_words(error)}")


def _words(error: Exception) -> str:
    if isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    return str(error)


events.init_command_line_parser.add_listener(add_options)  # type: ignore[no-untyped-call]
events.init.add_listener(prepare)  # type: ignore[no-untyped-call]
events.test_start.add_listener(open_shop)  # type: ignore[no-untyped-call]
events.quitting.add_listener(judge)  # type: ignore[no-untyped-call]
