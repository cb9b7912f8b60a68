"""Jobs by hand: for the command line, rehearsals and the demo."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from bonpunkt.loyalty.v1 import job_pb2 as pb
from bonpunkt.loyalty.v1 import job_pb2_grpc
from services.loyalty.jobs import JobTakenError, Nightly
from services.loyalty.keys import BUCKET_COUNT
from services.loyalty.office.actors import Actors


class JobServicer(job_pb2_grpc.JobServiceServicer):
    def __init__(self, nightly: Nightly, actors: Actors) -> None:
        self._nightly, self._actors = nightly, actors

    async def RunNightly(
        self, _: pb.RunNightlyRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.RunNightlyResponse]:
        await self._actors.manager(context)
        try:
            async for progress in self._nightly.run():
                yield pb.RunNightlyResponse(
                    buckets_done=progress.buckets_done,
                    bucket_count=BUCKET_COUNT,
                    members_looked_at=progress.looked_at,
                    members_settled=progress.settled,
                    rows_deleted=progress.deleted,
                    finished=progress.finished,
                )
        except JobTakenError as error:
            await context.abort(grpc.StatusCode.ABORTED, str(error))
