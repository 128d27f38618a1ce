"""The rules on PostgreSQL go by its clock, whatever the machine shows (R56)."""

import os
import time
from typing import Any

from ocsgw.config import load
from ocsgw.logs import LogFile
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.store_service import StoreService
from tests.integration.server import STORE
from tests.ocs.service import ServiceTestCase
from tests.support.postgresql import PASSWORD
from tests.support.postgresql_store import new_database
from tests.support.workers import InlineWorker


class StoreClockTests(ServiceTestCase):
    """A machine whose clock is wrong."""

    def open(self, store: str, *, follows_store: bool = True) -> StoreService:
        """Return an open store whose machine has the clock that `ahead` says."""
        self.configure(store=store)
        config = load(self.path)
        context = OCSContext(
            config, self.reactor, LogFile(os.devnull, "text", "error", "OCS"), self.machine, follows_store=follows_store
        )
        service = StoreService(context, LifeCycle(), self.fail, lambda _: InlineWorker())
        self.successResultOf(service.startService())
        self.addCleanup(lambda: self.successResultOf(service.stopService()))
        return service

    def machine(self) -> float:
        """Return what the clock of the machine shows."""
        return time.time() + self.ahead

    def now_of(self, service: StoreService) -> float:
        """Return by how much the rules are ahead of the time."""
        now: Any = self.successResultOf(service.committer().chore(lambda unit: unit.now))
        return float(now) - time.time()

    def database(self) -> str:
        """Return the keys of a store in a new database."""
        secret = self.folder / "secret"
        secret.write_text(PASSWORD, encoding="ascii")
        secret.chmod(0o600)
        return f'url = "{new_database(self)}"\npassword_file = "{secret}"'

    def test_database(self) -> None:
        """From the first transaction on it is that of the database, and again after the machine's was set."""
        self.ahead = 3600.0
        service = self.open(self.database())
        self.assertLess(abs(self.now_of(service)), 60)
        self.ahead = -7200.0
        self.assertGreater(abs(self.now_of(service)), 600)
        self.reactor.advance(10)
        self.assertLess(abs(self.now_of(service)), 60)

    def test_given(self) -> None:
        """A clock that was given, as in a sandbox, is followed as it is."""
        self.ahead = 3600.0
        self.assertLess(abs(self.now_of(self.open(self.database(), follows_store=False)) - 3600), 60)

    def test_file(self) -> None:
        """A file has no clock: that of the machine counts."""
        self.ahead = 3600.0
        self.assertLess(abs(self.now_of(self.open(STORE)) - 3600), 60)
