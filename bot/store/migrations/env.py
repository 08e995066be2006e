"""Alembic runs this for each migration, on the connection it is handed."""

from alembic import context

from bot.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="bot_schema_version",
)
with context.begin_transaction():
    context.run_migrations()
