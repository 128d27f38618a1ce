"""Files on their way to the console: kept for who may import, and for nobody else."""

import errno
import os
import re
import shutil
import tempfile
from collections import Counter, namedtuple
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.access.keys import KeyRing
from ocsgw.access.permissions import EVERYTHING, Permissions
from ocsgw.admin.access import AdminAccess
from ocsgw.admin.imports import incoming, kept_files
from ocsgw.admin.imports.kept_files import KeptFiles
from ocsgw.admin.imports.office import ImportOffice
from ocsgw.admin.imports.run import Progress
from ocsgw.admin.site import AdminSite
from tests.admin.support import shared_of
from tests.admin.test_form_data import KIND

_Usage = namedtuple("_Usage", "free")


class UploadTests(SynchronousTestCase):
    """Bodies of `POST /import`, as bytes on a connection."""

    def setUp(self) -> None:
        self.permissions: Permissions = EVERYTHING
        self.work: Callable[[Callable[[], Any]], Deferred[Any]] = maybeDeferred
        self.clock = Clock()
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.files = KeptFiles(self.folder, self.clock.seconds)
        view: Any = SimpleNamespace(directory=lambda: self)
        access = AdminAccess(KeyRing([]), None, lambda: 0.0, verifies=False)
        office = ImportOffice(self.files, self.do_work, self.clock.seconds)
        self.site = AdminSite(view, access, self.clock, shared_of(office))
        self.cookie = self.token = ""
        found = self.ask(b"GET /import HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        self.cookie = re.findall(r"[Ss]et-[Cc]ookie: ([^;]*)", found)[0]
        self.token = re.findall(r'name="token" value="([^"]*)"', found)[0]

    # The directory, as far as it is asked.

    def permissions_of(self, principal: str) -> Permissions:
        """Return what everybody may do."""
        return self.permissions

    def do_work(self, function: Callable[[], Any]) -> "Deferred[Any]":
        """Call a function away from the reactor, as the test wants it."""
        return self.work(function)

    def list_named(self, name: str) -> object:
        """Know one list."""
        return self if name == "CL" else None

    def ask(self, data: bytes, *, ends: bool = True) -> str:
        """Return what comes back for the bytes of a client; without `ends` it is cut off then."""
        protocol: Any = self.site.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(data)
        if not ends:
            protocol.connectionLost(Failure(ConnectionLost()))
        answer: str = transport.value().decode()
        return answer

    def post(self, *, ends: bool = True, **options: Any) -> str:
        """Send a file; return the answer."""
        return self.ask(self.body(ends=ends, **options), ends=ends)

    def body(
        self,
        *,
        token: str | None = None,
        more: str = "",
        size: int | None = None,
        into: tuple[tuple[str, str], ...] = (("list", "CL"),),
        name: str = "a.csv",
        contents: str = "GSW_PHONE\n1\n",
        ends: bool = True,
    ) -> bytes:
        """Return a request that sends a file."""
        token = self.token if token is None else token
        fields = {"token": token, "do": "upload", **dict(into)}
        parts = [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}' for key, value in fields.items()]
        parts.append(f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n{contents}')
        body = "".join(f"--xYz\r\n{each}\r\n" for each in parts) + ("--xYz--\r\n" if ends else "")
        length = size if size is not None else len(body) + (not ends)
        head = f"POST /import HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: {KIND.decode()}\r\n"
        head += f"Content-Length: {length}\r\nCookie: {self.cookie}\r\n{more}\r\n"
        return (head + body).encode()

    def kept(self) -> list[str]:
        """Return the names of the files that are kept."""
        return [each.name for each in self.files.of("")]

    def test_kept(self) -> None:
        """The file of somebody who may import is kept, for nobody else to read, and the browser sent to its page."""
        answer = self.post()
        self.assertIn(" 303 ", answer)
        key = re.findall(r"[Ll]ocation: /import\?file=(\S+)", answer)[0]
        found = self.files.find(key, "")
        assert found is not None
        self.assertEqual((found.name, found.size, found.calling_list), ("a.csv", 12, "CL"))
        with found.contents.open_to_read() as stream:
            self.assertEqual(stream.read(), b"GSW_PHONE\n1\n")
        self.assertEqual(os.listdir(self.folder), [])
        self.assertIsNone(self.files.find(key, "somebody else"))

    def test_not_kept(self) -> None:
        """What is not a form of our own, or of somebody who may not import, leaves nothing on the disk."""
        limited = Permissions(actions=frozenset({"CampaignStatusRequest"}))
        cases: tuple[tuple[str, dict[str, Any], Permissions], ...] = (
            ("session that has ended", {"token": "wrong"}, EVERYTHING),
            ("from another site", {"more": "Origin: https://evil.example\r\n"}, EVERYTHING),
            ("from another site", {"more": "Sec-Fetch-Site: cross-site\r\n"}, EVERYTHING),
            ("for principals without limits", {}, limited),
            ("choose a file first", {"name": ""}, EVERYTHING),
        )
        for words, options, permissions in cases:
            with self.subTest(words=words, options=options):
                self.permissions = permissions
                self.assertIn(words, self.post(**options))
                self.assertEqual(self.kept(), [])

    def test_where_to(self) -> None:
        """A form says where its file goes; without that nothing is kept, for the do-not-call list least of all."""
        for into in ((), (("list", ""),), (("into", "x"),), (("list", "CL"), ("into", "do-not-call"))):
            with self.subTest(into=into):
                answer = self.post(into=into)
                self.assertIn(" 400 ", answer)
                self.assertIn("choose a calling list, or the do-not-call list", answer)
                self.assertEqual(self.kept(), [])
        self.assertIn(" 303 ", self.post(into=(("into", "do-not-call"),)))
        self.assertEqual([each.calling_list for each in self.files.of("")], [None])

    def order(self, order: str, key: str, kind: str = "application/x-www-form-urlencoded") -> str:
        """Send a form about a file that is kept."""
        body = f"token={self.token}&do={order}&file={key}"
        head = f"POST /import HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
        return self.ask(f"{head}Content-Length: {len(body)}\r\nCookie: {self.cookie}\r\n\r\n{body}".encode())

    def test_discard_under_way(self) -> None:
        """A file that is being imported is stopped before it is discarded, and no page offers anything else."""
        self.post()
        (kept,) = self.files.of("")
        page = f"GET /import HTTP/1.0\r\nHost: 127.0.0.1\r\nCookie: {self.cookie}\r\n\r\n".encode()
        self.assertIn('value="discard"', self.ask(page))
        run: Any = SimpleNamespace(is_complete=False, is_under_way=True, state="under way", stopped=0)
        run.stop = lambda: setattr(run, "stopped", run.stopped + 1)
        run.job, run.number, run.counts, run.clock = SimpleNamespace(dry_run=False), 3, Counter(), self.clock.seconds
        run.progress = Progress()
        kept.run = run
        self.assertNotIn('value="discard"', self.ask(page))
        answer = self.order("discard", kept.key)
        self.assertIn(" 409 ", answer)
        self.assertIn("this file is being imported; stop that first", answer)
        self.assertEqual((self.kept(), run.stopped), (["a.csv"], 0))
        self.assertIn(" 303 ", self.order("stop", kept.key))
        self.assertEqual(run.stopped, 1)
        run.is_under_way = False
        self.assertIn(" 303 ", self.order("discard", kept.key))
        self.assertEqual(self.kept(), [])

    def test_unknown_order(self) -> None:
        """An order that nobody knows is named."""
        answer = self.order("dance", "x")
        self.assertIn(" 400 ", answer)
        self.assertIn("an import takes no order &#x27;dance&#x27;", answer)

    def test_unreadable(self) -> None:
        """A form that cannot be read is called that, and not one of another session."""
        for kind in ("application/json", "", "multipart/form-data", "multipart/form-data; boundary=other"):
            with self.subTest(kind=kind):
                answer = self.order("look", "x", kind)
                self.assertIn(" 400 ", answer)
                self.assertIn("this form cannot be read: ", answer)

    def test_at_once(self) -> None:
        """A form that is too large, or of another session, is answered before its file has come."""
        for options, status in (
            ({"size": 3 << 30, "more": "Expect: 100-continue\r\n"}, "HTTP/1.1 413 "),
            ({"size": 1 << 30, "token": "wrong"}, "HTTP/1.1 403 "),
        ):
            with self.subTest(status=status):
                protocol: Any = self.site.buildProtocol(None)
                transport = StringTransport()
                protocol.makeConnection(transport)
                protocol.dataReceived(self.body(ends=False, **cast("dict[str, Any]", options)))
                answer = transport.value().decode()
                self.assertTrue(answer.startswith(status), answer)
                self.assertNotIn("100 Continue", answer)
                self.assertTrue(transport.disconnecting)
                protocol.dataReceived(b"more" * 1000)
                self.assertEqual(transport.value().decode(), answer)
                protocol.connectionLost(Failure(ConnectionLost()))
                self.assertEqual(self.kept(), [])

    def test_file_before_token(self) -> None:
        """Nothing is kept of a form that does not say first whose it is."""
        body = self.body()
        token = f'--xYz\r\nContent-Disposition: form-data; name="token"\r\n\r\n{self.token}\r\n'.encode()
        last = b"--xYz--\r\n"
        moved = body.replace(token, b"").replace(last, token + last)
        self.assertEqual(len(moved), len(body))
        answer = self.ask(moved)
        self.assertIn(" 400 ", answer)
        self.assertIn("the form has to send its token before the file", answer)
        self.assertEqual(self.kept(), [])

    def test_cut_off(self) -> None:
        """A browser that goes away leaves nothing behind."""
        self.post(ends=False)
        self.assertEqual(self.kept(), [])

    def test_no_room(self) -> None:
        """Too large a file, too many of them and a full disk are refused with the reason."""
        self.patch(kept_files, "LARGEST", 10)
        self.assertIn("import a larger one with ocsctl list import", self.post())
        self.patch(kept_files, "LARGEST", 1000)
        self.patch(shutil, "disk_usage", lambda folder: _Usage(1 << 30))
        self.assertIn("too little space left for this file", self.post())
        self.patch(shutil, "disk_usage", lambda folder: _Usage(1 << 40))
        for _ in range(8):
            self.assertIn(" 303 ", self.post())
        self.assertIn("8 files wait already; import or discard one", self.post())
        first = next(self.files.of(""))
        under_way = SimpleNamespace(is_complete=False, is_under_way=True, state="under way", stop=lambda: None)
        first.run = cast("Any", under_way)
        self.assertIn("7 files wait already and 1 are being imported; import or discard one", self.post())
        under_way.is_under_way = False
        self.assertEqual(len(self.kept()), 8)
        # One that is imported makes room.
        over: Any = SimpleNamespace(is_complete=True, is_under_way=False, stop=lambda: None)
        imported = next(self.files.of(""))
        imported.run = over
        self.assertIn(" 303 ", self.post())
        self.assertEqual(len(self.kept()), 8)
        self.assertIsNone(self.files.find(imported.key, ""))

    def test_no_folder(self) -> None:
        """A state directory that is gone, or cannot be written, is said."""
        self.patch(tempfile, "TemporaryFile", self.fail_to_open)
        self.assertIn("the file cannot be kept: Read-only file system", self.post())
        os.rmdir(self.folder)
        self.assertIn("cannot be used: ", self.post())

    def fail_to_open(self, **_: Any) -> None:
        """Fail as a disk does that is mounted for reading."""
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def test_slow_disk(self) -> None:
        """While too much waits for the disk nothing is read from the browser; the answer comes after the last byte."""
        self.patch(incoming, "_MOST_WAITING", 10)
        tasks: list[tuple[Any, Deferred[Any]]] = []

        def later(function: Any) -> "Deferred[Any]":
            tasks.append((function, Deferred()))
            return tasks[-1][1]

        self.work = later
        protocol: Any = self.site.buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        whole = self.body(contents="GSW_PHONE\n1\n" * 2)
        protocol.dataReceived(whole)
        self.assertEqual(transport.producerState, "paused")
        self.assertEqual(transport.value(), b"")
        while tasks:
            function, done = tasks.pop(0)
            done.callback(function())
        self.assertEqual(transport.producerState, "producing")
        self.assertIn(b" 303 ", transport.value())
        self.assertEqual([each.size for each in self.files.of("")], [24])

    def test_disk_fails(self) -> None:
        """A disk that fails while the file comes in is said, and nothing is kept."""

        def failing(function: Any) -> "Deferred[Any]":
            return fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

        self.work = failing
        self.assertIn("the file cannot be kept: No space left on device", self.post())
        self.assertEqual(self.kept(), [])

    def test_forgotten(self) -> None:
        """A file that nobody touches goes after an hour."""
        self.post()
        self.clock.advance(3599)
        self.files.tidy()
        self.assertEqual(len(self.kept()), 1)
        self.clock.advance(1)
        self.files.tidy()
        self.assertEqual(self.kept(), [])

    def test_form_without_file(self) -> None:
        """A form of another kind is told what is missing."""
        body = f"token={self.token}&do=upload&list=CL"
        head = "POST /import HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        head += f"Content-Length: {len(body)}\r\nCookie: {self.cookie}\r\n\r\n"
        self.assertIn("send the form with its file", self.ask((head + body).encode()))
