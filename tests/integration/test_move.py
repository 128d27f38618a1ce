"""A server moved to PostgreSQL as docs/operations.md says, with copies that are killed on the way."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

from twisted.trial.unittest import TestCase

from tests.integration.server import PATIENCE, ROOT, Server, make_server
from tests.support.postgresql import PASSWORD, shared_postgresql
from tests.support.postgresql_store import new_database

KILLS = int(os.environ.get("OCSGW_MOVE_KILLS", "3"))
# What a copy stores until it is killed is some thousands; a few are left for the end.
_RECORDS = 20_000 * KILLS
_LEFT = 15_000
_SECTION = re.compile(r"^## Moving to PostgreSQL\n.*?^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CREATED = (
    "WITH RECURSIVE number(n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM number WHERE n < ?)"
    " INSERT INTO CL_CALLBACK (record_id, contact_info, contact_info_type, record_type, record_status, call_result,"
    " attempt, dial_sched_time, call_time, daily_from, daily_till, tz_dbid, campaign_id, chain_id, chain_n, last_name)"
    " SELECT n, n, 0, 2, 1, 28, 0, 0, 0, 0, 86399, 101, 301, n, 0, 'name ' || n FROM number"
)


class MoveTests(TestCase):
    """From an SQLite file to a database, with real processes."""

    timeout = 3600

    def setUp(self) -> None:
        self.server = make_server(self)
        self.url = new_database(self)
        self.name = self.url.rpartition("/")[2]
        password = self.server.folder / "database"
        password.write_text(f"{PASSWORD}\n", encoding="ascii")
        password.chmod(0o600)

    def commands(self) -> list[str]:
        """Return the commands of the section, for this server."""
        (block,) = _SECTION.findall((ROOT / "docs" / "operations.md").read_text(encoding="utf-8"))
        text: str = block.replace("/etc/ocsgw/keys/database", f"{self.server.folder}/database")
        text = text.replace("/var/lib/ocsgw/", f"{self.server.folder}/var/")
        return text.replace("postgresql://ocsgw@db.example/ocsgw", self.url).splitlines()

    def ocsctl(self, command: str) -> "subprocess.Popen[str]":
        """Start one of the commands."""
        _, *words = shlex.split(command)
        return subprocess.Popen(
            [sys.executable, "-m", "ocsgw.ctl", "-c", str(self.server.config), *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, command: str) -> str:
        """Carry out one of the commands and return what it prints."""
        process = self.ocsctl(command)
        output, messages = process.communicate(timeout=10 * PATIENCE)
        self.assertEqual((process.returncode, messages), (0, ""), output)
        return output

    def progress(self) -> int:
        """Return how many records are stored."""
        # Before it begins and after it has ended there is no such table.
        with contextlib.suppress(AssertionError):
            progress = json.loads(shared_postgresql().query("SELECT progress FROM ocsgw_copy", self.name)[0][0])
            return int(progress.get("CL_CALLBACK", [0])[0])
        return 0

    def kill_on_the_way(self, command: str) -> bool:
        """Kill a copy when it has stored more than was there before; whether it had not ended."""
        before = self.progress()
        process = self.ocsctl(command)
        end = time.monotonic() + PATIENCE
        while process.poll() is None and self.progress() == before and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def refuses(self, server: Server, text: str) -> None:
        """Look whether a start ends with the status of a wrong store, and says so."""
        before = len(server.log())
        server.spawn()
        self.assertEqual(server.wait(), 78, server.log()[before:])
        self.assertIn(text, server.log()[before:])

    def test_move(self) -> None:
        """Handles, keys and numbers go on in the database; half a copy is not served, and is gone on with."""
        server = self.server.start()
        first = server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "111"}, {"Idempotency-Key": "k"})
        self.assertEqual(first.status, 200, first.body)
        preview = server.post("/campaigngroups/102?req=PreviewRecordRequest", {"GSW_AGENT_ID": "a"})
        handle = preview.json["GSW_RECORD_HANDLE"]
        dry, stop, copy, edit, start = self.commands()
        self.assertIn("dry run, nothing was changed", self.done(dry))
        self.assertEqual(stop, "systemctl stop ocsgw")
        server.stop()
        server.write(_CREATED, _RECORDS + 99)
        old = server._form["store"]
        new = f'url = "{self.url}"\npassword_file = "database"'
        self.assertIn(f'url = "{self.url}"', edit)
        kills = 0
        while kills < KILLS and self.progress() < _RECORDS - _LEFT:
            kills += self.kill_on_the_way(copy)
        self.assertGreater(kills, 0)
        server.configure(store=new)
        self.refuses(server, f"is an unfinished copy of sqlite:///{server.folder}/var/ocsgw.sqlite")
        server.configure(store=old)
        output = self.done(copy)
        self.assertRegex(output, rf"(?m)^CL_CALLBACK +CL_CALLBACK +{_RECORDS} +[0-9a-f]{{16}}$")

        server.configure(store=new)
        self.assertEqual(start, "systemctl start ocsgw")
        server.start()
        again = server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "111"}, {"Idempotency-Key": "k"})
        self.assertEqual((again.status, again.json), (200, first.json))
        processed = server.post(f"/records/{handle}?req=RecordProcessed", {"GSW_CALL_RESULT": 33})
        self.assertEqual(processed.status, 200, processed.body)
        added = server.post("/lists/CL_CALLBACK?req=AddRecord", {"GSW_PHONE": "222"})
        self.assertEqual(added.status, 200, added.body)
        self.assertEqual(
            shared_postgresql().query(
                "SELECT count(*), max(record_id) FROM \"CL_CALLBACK\" WHERE contact_info <> ''", self.name
            ),
            [[str(_RECORDS + 1), str(_RECORDS + 100)]],
        )
