"""What the service of the store takes from its reactor."""

import os
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

from ocsgw.config import load
from ocsgw.logs import LogFile
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.store_service import StoreService
from tests.integration.server import STORE
from tests.ocs.service import ServiceTestCase
from tests.support.workers import IdleWorker


class TurnTests(ServiceTestCase):
    """When a batch begins."""

    def test_end_of_turn(self) -> None:
        """A reactor that calls at the end of a turn says when a batch begins, without a delayed call."""
        ends: list[Callable[[], None]] = []

        def call_at_end_of_turn(function: Callable[[], None]) -> Mock:
            ends.append(function)
            return Mock()

        reactor: Any = self.reactor
        reactor.call_at_end_of_turn = call_at_end_of_turn
        self.configure(store=STORE)
        context = OCSContext(load(self.path), reactor, LogFile(os.devnull, "text", "error", "OCS"), time.time)
        service = StoreService(context, LifeCycle(), self.fail, lambda _: IdleWorker())
        self.successResultOf(service.startService())
        self.addCleanup(lambda: self.successResultOf(service.stopService()))
        done = service.committer().chore(lambda unit: unit.now, is_brief=True)
        self.assertNoResult(done)
        while ends:
            ends.pop(0)()
        self.assertGreater(self.successResultOf(done), 0)
