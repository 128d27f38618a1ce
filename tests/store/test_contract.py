"""The engines keep the promises of `tests.store.contract`."""

import os

from ocsgw.store.engine import Engine
from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.store import contract
from tests.support.reports import unreported


class SQLiteTests(contract.EngineContract):
    """The embedded store."""

    def make_engine(self) -> Engine:
        """Return an engine on a file of its own."""
        return SQLiteEngine(os.path.join(self.mktemp(), "store.sqlite"), unreported)
