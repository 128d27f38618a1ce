"""The control socket as a service; when something removes it, it is made again."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from ocsgw.control.server import Command, ControlFactory
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.periodic import Periodic

_LOOK_EVERY = 5.0


class ControlSocket(Service):
    """Listens for `ocsctl`; without it everything else works all the same.

    A lock beside the socket distinguishes a running server from one that left its socket behind. The system frees it
    with the process, so neither a loss of power nor a process id that another program has by now keeps a server out.
    """

    name = "control"
    _log = Logger()

    def __init__(self, context: OCSContext, commands: Mapping[str, Command]) -> None:
        self._context = context
        self._commands = commands
        self._path = context.config.application.control_socket
        self._port: Any = None
        self._lock: int | None = None
        # Device and inode of socket and lock file.
        self._made: tuple[tuple[int, int] | None, ...] = ()
        self._failing = False
        self._periodic = Periodic("control socket", self._look, context.reactor)

    def startService(self) -> None:
        """Open the socket, and look after it from then on."""
        super().startService()
        self._open()
        self._periodic.start(_LOOK_EVERY)

    def stopService(self) -> "Deferred[None]":
        """Close the socket."""
        super().stopService()
        self._periodic.stop()
        closed: Deferred[None] = self._close()
        return closed

    @inlineCallbacks
    def _look(self) -> Any:
        if self._port is None:
            self._open()
        elif self._made != self._found():
            yield self._close()
            if self.running and self._open():
                say(self._log, 93153, path=self._path)

    def _open(self) -> bool:
        try:
            os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True)
            self._lock = _take_lock(self._lock_path)
            self._port = self._listen()
        except (OSError, CannotListenError) as error:
            self._drop_lock()
            if not self._failing:
                reason = error.socketError if isinstance(error, CannotListenError) else error
                say(self._log, 93036, path=self._path, reason=reason.strerror or str(reason))
            self._failing = True
            return False
        self._failing = False
        self._made = self._found()
        return True

    def _listen(self) -> Any:
        """Return a port that only the user of this process can reach. Raises `OSError` and `CannotListenError`."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.lstat(self._path).st_mode):
                # Whoever made it does not hold the lock any more.
                os.unlink(self._path)
        reactor = self._context.reactor
        # Not even for a moment may others connect.
        before = os.umask(0o177)
        try:
            return reactor.listenUNIX(self._path, ControlFactory(self._commands, reactor), mode=0o600)
        finally:
            os.umask(before)

    @inlineCallbacks
    def _close(self) -> Any:
        port, self._port = self._port, None
        if port is None:
            return
        if self._found() != self._made:
            # Twisted removes what has this name when it closes the port, and fails if there is nothing.
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True)
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            yield maybeDeferred(port.stopListening)
        finally:
            self._drop_lock()

    def _drop_lock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    @property
    def _lock_path(self) -> str:
        return f"{self._path}.lock"

    def _found(self) -> tuple[tuple[int, int] | None, ...]:
        return (_identity(self._path), _identity(self._lock_path))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _take_lock(path: str) -> int:
    """Return the descriptor of the locked file. Raises `OSError`, with words, if another process has the lock."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        lock = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        # Earlier versions left a symbolic link that named a process id.
        os.unlink(path)
        lock = os.open(path, flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise OSError(
            errno.EADDRINUSE, f"another OCS, process {holder}, uses it; give each server a state_dir of its own"
        ) from None
    except BaseException:
        os.close(lock)
        raise
    return lock
