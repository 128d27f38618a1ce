"""Called by alembic: run the revisions on the connection that `ocsgw.store.migrate` gives, or write their SQL text."""

import io
from collections.abc import Callable

from alembic import context

from ocsgw.store.migrate import VERSION_TABLE


class _Output(io.StringIO):
    """A stream that hands what is written to a function."""

    def __init__(self, take: Callable[[str], object]) -> None:
        self._take = take

    def write(self, text: str, /) -> int:
        self._take(text)
        return len(text)


attributes = context.config.attributes
if context.is_offline_mode():
    context.configure(
        dialect_name=attributes["dialect"],
        output_buffer=_Output(attributes["write"]),
        version_table=VERSION_TABLE,
        transactional_ddl=True,
    )
else:
    context.configure(connection=attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
