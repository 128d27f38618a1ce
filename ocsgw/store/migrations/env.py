"""Called by alembic: run the revisions on the connection that `ocsgw.store.migrate` gives."""

from alembic import context

from ocsgw.store.migrate import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
