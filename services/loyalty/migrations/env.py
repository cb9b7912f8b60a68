"""Alembic's entry: it runs on the connection, and in the transaction, that `migrate` hands over."""

from alembic import context

from services.loyalty.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
