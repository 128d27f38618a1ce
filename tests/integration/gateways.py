"""Several real servers that serve one database at once, and clients that pull previews from them."""

import json
import shutil
import tempfile
import threading
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.pair import PairServer
from tests.integration.server import PATIENCE
from tests.support.postgresql_store import new_database


class Gateways:
    """Servers by number; the first one that is started does the chores."""

    def __init__(self, test: SynchronousTestCase, count: int, **options: Any) -> None:
        self.database = new_database(test).rpartition("/")[2]
        folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        test.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        names = [f"gateway{at}" for at in range(count)]
        self.servers = [PairServer(folder, name, self.database, mode="active", **options) for name in names]
        for each in self.servers:
            test.addCleanup(each.stop)

    def start(self) -> "Gateways":
        """Start all and wait until they serve."""
        for each in self.servers:
            each.start()
            each.wait_until(lambda each=each: each.ask() == 200)
        return self


class Puller(threading.Thread):
    """A client that previews records until there are none, and remembers what it was shown.

    It goes to another server when its own is gone.
    """

    def __init__(self, ports: list[int]) -> None:
        super().__init__(daemon=True)
        self._ports = ports
        self._connection = HTTPConnection("127.0.0.1", ports[0], timeout=PATIENCE)
        self.shown: list[str] = []
        self.unanswered = 0
        self.unexpected: list[str] = []

    def run(self) -> None:
        """Preview until the list is empty."""
        body = json.dumps({"GSW_AGENT_ID": self.name})
        while not self.unexpected:
            try:
                self._connection.request("POST", "/campaigngroups/102?req=PreviewRecordRequest", body)
                response = self._connection.getresponse()
                answer = json.loads(response.read())
            except (OSError, HTTPException):
                self.unanswered += 1
                self._ports.append(self._ports.pop(0))
                self._connection.close()
                self._connection = HTTPConnection("127.0.0.1", self._ports[0], timeout=PATIENCE)
                continue
            if answer.get("GSW_USER_EVENT") == "PreviewRecordEmpty":
                break
            if response.status == 200:
                self.shown.append(answer["GSW_PHONE"])
            elif response.status == 504:
                self.unanswered += 1
            elif response.status != 503:
                self.unexpected.append(f"{response.status} {answer}")
        self._connection.close()
