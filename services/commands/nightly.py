"""`bonpunkt loyalty nightly`: the nightly run, now."""

import click

from services.commands.connection import follow, loyalty_option


@click.command("nightly")
@loyalty_option
def nightly(target: str) -> None:
    """Does to idle members what time has done to them, and deletes what was kept long enough.

    Loyalty does so by itself every night (LOYALTY_NIGHTLY_AT). Broken off, it goes on where it was.
    """
    from rich.console import Console
    from rich.progress import Progress

    from bonpunkt.loyalty.v1 import job_pb2, job_pb2_grpc

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("nightly run", total=None)

        def tell(response: job_pb2.RunNightlyResponse) -> None:
            bar.update(task, total=response.bucket_count, completed=response.buckets_done)
            if response.finished:
                click.echo(
                    f"{response.members_looked_at} members looked at, "
                    f"{response.members_settled} settled, {response.rows_deleted} old rows deleted"
                )

        follow(
            target,
            lambda channel: job_pb2_grpc.JobServiceStub(channel).RunNightly,
            job_pb2.RunNightlyRequest(),
            tell,
        )
