"""TillService: who is it, is it well-formed, and on its way it goes.

Tills are turned away with one answer, whether they are unknown, blocked or show a wrong secret.
Messages are taken as bytes, so that one that is none of ours is answered INVALID_ARGUMENT too; a
message over 1 MiB never gets here, gRPC answers it RESOURCE_EXHAUSTED.
"""

import asyncio
from functools import partial
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from bonpunkt.till.v1 import till_pb2
from services.pos_gateway import form, wire
from services.pos_gateway.ends import NO_MESSAGE, STOPPING, TURNED_AWAY, End, wrong
from services.pos_gateway.exchange import Submit
from services.pos_gateway.stream import Context, Stream
from services.pos_gateway.terminals import Terminal, Terminals
from services.pos_gateway.traces import Traces

SERVICE_NAME = till_pb2.DESCRIPTOR.services_by_name["TillService"].full_name


class Tills:
    """Serves every till's calls and keeps track of the open streams."""

    def __init__(
        self,
        *,
        terminals: Terminals,
        submit: Submit,
        decisions_max: int,
        traces: Traces | None = None,
    ) -> None:
        self._terminals = terminals
        self._submit = submit
        self._traces = traces
        self._decisions_max = decisions_max
        self._streams: set[Stream] = set()
        terminals.on_change(self._end_revoked)

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    def _submit_of(self, context: Context) -> Submit:
        """How the operations of a call go on: followed, if traces are told."""
        if self._traces is None:
            return self._submit
        return self._traces.of_call(context.invocation_metadata() or ())

    def add_to(self, server: grpc.aio.Server) -> None:
        methods: dict[str, grpc.RpcMethodHandler[bytes, Any]] = {
            "Open": grpc.stream_stream_rpc_method_handler(self.Open),
            "Submit": grpc.unary_unary_rpc_method_handler(self.Submit),
        }
        handler = grpc.method_handlers_generic_handler(SERVICE_NAME, methods)
        server.add_generic_rpc_handlers((handler,))

    async def Open(self, _: object, context: Context) -> None:
        terminal = await self._admit(context)
        stream = Stream(
            context,
            terminal=terminal,
            submit=self._submit_of(context),
            decisions_max=self._decisions_max,
        )
        self._streams.add(stream)
        try:
            end = await stream.serve()
        finally:
            self._streams.discard(stream)
        if end.code is not grpc.StatusCode.OK:
            await _abort(context, end)

    async def Submit(self, raw: bytes, context: Context) -> bytes:
        terminal = await self._admit(context)
        try:
            operations = wire.operations(raw)
        except DecodeError:
            await _abort(context, NO_MESSAGE)
        words = form.wrong_count(operations)
        if words is not None:
            await _abort(context, wrong(words))
        answers = _Answers(len(operations))
        submit = self._submit_of(context)
        for index, sent in enumerate(operations):
            answer = partial(answers.put, index)
            refused = form.refusal(sent)
            if refused is not None:
                answer(refused)
            else:
                submit(sent, terminal=terminal, answer=answer)
        return b"".join(map(wire.decision_field, await answers.complete))

    def drain(self) -> None:
        """Lets every open stream finish what is in flight, and no more."""
        for stream in self._streams:
            stream.drain(STOPPING)

    def _end_revoked(self) -> None:
        for stream in self._streams:
            if not self._terminals.still_admits(stream.terminal):
                stream.end(TURNED_AWAY)

    async def _admit(self, context: Context) -> Terminal:
        terminal = self._terminals.admitted(context.invocation_metadata() or ())
        if terminal is None:
            await _abort(context, TURNED_AWAY)
        return terminal


class _Answers:
    """The decisions of one Submit, in the order of its operations."""

    def __init__(self, count: int) -> None:
        self._decisions = [b""] * count
        self._missing = count
        self.complete: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()

    def put(self, index: int, decision: bytes) -> None:
        self._decisions[index] = decision
        self._missing -= 1
        if self._missing == 0 and not self.complete.done():  # done: the till hung up
            self.complete.set_result(self._decisions)


async def _abort(context: Context, end: End) -> NoReturn:
    await context.abort(end.code, end.words)
