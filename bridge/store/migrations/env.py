"""Alembic's entry: it migrates over the connection that `bridge.store.migrate` hands it."""

from alembic import context

from bridge.store.crypto_tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
