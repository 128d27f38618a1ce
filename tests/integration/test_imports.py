"""Imports into a running server, with requests beside them and processes killed in between."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import PATIENCE, ROOT, make_server
from tests.support.rounds import rounds

KILLS = int(os.environ.get("OCSGW_IMPORT_KILLS", "4"))
ROWS = int(os.environ.get("OCSGW_IMPORT_ROWS", "20000"))


class ImportTests(SynchronousTestCase):
    """`ocsctl list import` with a server."""

    def setUp(self) -> None:
        self.server = make_server(self)
        self.server.start()
        self.file = self.server.folder / "records.csv"

    def write_file(self, rows: int) -> list[str]:
        """Write a file of so many different contacts and return them."""
        contacts = [f"+1650{number:07}" for number in range(rows)]
        lines = (f"{contact},C-{number},segment {number % 7}" for number, contact in enumerate(contacts))
        self.file.write_text("\n".join(["GSW_PHONE,CustomerID,Segment", *lines, ""]), encoding="utf-8")
        return contacts

    def spawn(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """Start `ocsctl`."""
        return subprocess.Popen(
            [sys.executable, "-m", "ocsgw.ctl", "--config", str(self.server.config), *map(str, arguments)],
            cwd=self.server.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_to_end(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Run `ocsctl` and return status, output and messages."""
        process = self.spawn(*arguments)
        output, messages = process.communicate(timeout=4 * PATIENCE)
        return process.returncode, output, messages

    def contacts(self) -> Counter[str]:
        """Return how often each contact is in the list."""
        return Counter(row[0] for row in self.server.rows("SELECT contact_info FROM CL_Test"))

    def rows_done(self) -> int:
        """Return how many rows the progress of the import says."""
        return sum(row[0] for row in self.server.rows("SELECT rows FROM ocsgw_import"))

    def test_requests_beside_an_import(self) -> None:
        """AddRecord goes on being answered while a file is imported, and everything is in the list (H200)."""
        contacts = self.write_file(ROWS)
        process = self.spawn("list", "import", "CL_Test", self.file)
        answers: list[int] = []
        while process.poll() is None:
            phone = f"beside {len(answers)}"
            answers.append(self.server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": phone}).status)
        output, messages = process.communicate()
        self.assertEqual(process.returncode, 0, messages)
        self.assertEqual(
            messages.splitlines(),
            ["recognized: UTF-8, cells separated by commas", "columns: GSW_PHONE, CustomerID, Segment"],
        )
        self.assertIn(f"{ROWS} rows: {ROWS} added, 0 replaced, 0 skipped, 0 refused", output)
        self.assertEqual(set(answers), {200})
        wanted = [*contacts, *(f"beside {number}" for number in range(len(answers)))]
        self.assertEqual(self.contacts(), Counter(wanted))
        ((count, different),) = self.server.rows("SELECT count(*), count(DISTINCT record_id) FROM CL_Test")
        self.assertEqual(count, different)

    def test_kills(self) -> None:
        """However often ocsctl or the server is killed, the same command brings each row in exactly once."""
        contacts = self.write_file(ROWS)
        chance = random.Random(7)
        for number in rounds(KILLS, "kills of an import"):
            process = self.spawn("list", "import", "CL_Test", self.file)
            aim = min(ROWS, self.rows_done() + chance.randrange(1, max(2, ROWS // (KILLS + 1))))
            end = time.monotonic() + PATIENCE
            while self.rows_done() < aim and process.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
            if number % 2:
                self.server.kill_parent()
                process.communicate(timeout=PATIENCE)
                self.server.start()
            else:
                os.kill(process.pid, (signal.SIGKILL, signal.SIGINT)[number % 4 // 2])
                process.communicate(timeout=PATIENCE)
        # A slice that the server had taken before its ocsctl was killed may come to its end only now.
        status, output, messages = self.run_to_end("list", "import", "CL_Test", self.file)
        while status == 1 and "taken over by another" in messages:
            status, output, messages = self.run_to_end("list", "import", "CL_Test", self.file)
        self.assertEqual(status, 0, output + messages)
        self.assertIn(f"{ROWS} rows: {ROWS} added, 0 replaced, 0 skipped, 0 refused", output)
        self.assertEqual(self.contacts(), Counter(contacts))

    def test_export(self) -> None:
        """What a running server holds goes into a file, and from there into another list."""
        contacts = self.write_file(2500)
        self.run_to_end("list", "import", "CL_Test", self.file)
        path = self.server.folder / "out.csv"
        self.assertEqual(self.run_to_end("list", "export", "CL_Test", path)[0], 0)
        status, output, messages = self.run_to_end("list", "import", "CL_CALLBACK", path, "--ignore-unknown")
        self.assertEqual(status, 0, output + messages)
        rows = self.server.rows("SELECT contact_info FROM CL_CALLBACK ORDER BY record_id")
        self.assertEqual([row[0] for row in rows], contacts)

    def test_refused_operation(self) -> None:
        """A list that does not exist, and a table broken meanwhile, are reported in words; HTTP goes on (K12)."""
        self.write_file(10)
        status, _, messages = self.run_to_end("list", "import", "CL_Tset", self.file)
        self.assertEqual((status, messages.strip()), (1, self.no_list("CL_Tset")))
        self.server.write("DROP TABLE CL_CALLBACK")
        status, _, messages = self.run_to_end("list", "export", "CL_CALLBACK")
        self.assertEqual(status, 1)
        self.assertIn("cannot be used", messages)
        self.assertEqual(self.server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status, 200)
        self.assertNotIn("Traceback", self.server.log())

    def no_list(self, name: str) -> str:
        """Return the message about a list that is not configured."""
        return f"ocsctl: there is no calling list {name}; configured: CL_Test, CL_CALLBACK, Liste été"
