"""Alembic's entry: migrates over the connection that `services.notifier.database` hands over."""

from alembic import context

from services.notifier.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds everything, on SQLite too
)
context.run_migrations()
