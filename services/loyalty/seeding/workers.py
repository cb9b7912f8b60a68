"""Processes that make cohorts, each its share, and hand them over as they are ready."""

import asyncio
import gc
import json
import multiprocessing
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from bonpunkt.till.v1 import till_pb2 as pb
from services.loyalty.domain.decision import Refused
from services.loyalty.programmes.document import load_programme
from services.loyalty.programmes.versions import Programmes
from services.loyalty.seeding.cohorts import Purchase, Share, cohorts
from services.loyalty.seeding.copying import Chunk, chunk_of
from services.loyalty.wire_baskets import basket_from_wire
from services.loyalty.wire_lines import with_raw_lines

Versions = Sequence[tuple[int, str]]  # of the programme: since when, and its document


def programmes_of(versions: Versions) -> Programmes:
    return Programmes([(since, load_programme(json.loads(text))) for since, text in versions])


def purchases_of(baskets: Sequence[pb.Basket], programmes: Programmes) -> list[Purchase]:
    """What is in the baskets; ValueError if a till could not send one of them."""
    currency = programmes.current.currency
    read = [basket_from_wire(with_raw_lines(each), "basket", currency) for each in baskets]
    for found in read:
        if isinstance(found, Refused):
            raise ValueError(f"the recorded baskets do not fit the programme: {found.remedy}")
    return [found for found in read if not isinstance(found, Refused)]


async def chunks(
    shares: Sequence[Share], *, versions: Versions, baskets: Sequence[pb.Basket]
) -> AsyncIterator[Chunk]:
    """Everything that the shares are made of; the chunks of each in order.

    ValueError as `cohorts` raises it; ChildProcessError if a process ends before its work does.
    """
    with _working(shares, versions, baskets) as pipes:
        while pipes:
            for pipe in await asyncio.to_thread(wait, pipes):
                assert isinstance(pipe, Connection)
                try:
                    received = await asyncio.to_thread(pipe.recv)
                except EOFError:
                    raise ChildProcessError("a process that makes rows has ended") from None
                if isinstance(received, Exception):
                    raise received
                if received is None:
                    pipes.remove(pipe)
                else:
                    yield received


@contextmanager
def _working(
    shares: Sequence[Share], versions: Versions, baskets: Sequence[pb.Basket]
) -> Iterator[list[Connection]]:
    """A process for each share, and the ends of the pipes into which they send."""
    context = multiprocessing.get_context("spawn")  # a fork would take locks of threads along
    processes: list[SpawnProcess] = []
    pipes: list[Connection] = []
    try:
        for share in shares:
            here, there = context.Pipe(duplex=False)
            pipes.append(here)
            with closing(there):
                process = context.Process(
                    target=_work, args=(there, share, versions, baskets), daemon=True
                )
                process.start()
            processes.append(process)
        yield list(pipes)
    finally:
        for process in processes:
            process.terminate()
            process.join()
        for pipe in pipes:
            pipe.close()


def _work(pipe: Connection, share: Share, versions: Versions, baskets: Sequence[pb.Basket]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it
    gc.disable()  # a cohort leaves no cycles, and looking for them takes a third of the time
    try:
        programmes = programmes_of(versions)
        purchases = purchases_of(baskets, programmes)
        for batch in cohorts(share, programmes=programmes, purchases=purchases):
            pipe.send(chunk_of(batch))
        pipe.send(None)
    except ValueError as error:
        pipe.send(error)
