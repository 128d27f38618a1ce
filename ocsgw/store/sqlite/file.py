"""The file of the embedded store: made, locked, judged and watched."""

import contextlib
import errno
import fcntl
import os
import pwd
import sqlite3
from typing import IO

from ocsgw.store.errors import StoreError
from ocsgw.store.sqlite.connection import masked, primary_code

# What is made is for the server's user, and for nobody else to read, whatever the umask: it has contacts in it.
_FILE_MODE = 0o600
_FOLDER_MODE = 0o750
# A file of that size is read through at the start, which takes some 0.1 s; of a larger one the length is looked at.
_SMALL = 16 << 20
_HEADER = 100
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_REMEDIES = {
    sqlite3.SQLITE_FULL: "its disk is full; make room there and start again",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the owner and mode of file and folder, and how it is mounted",
    sqlite3.SQLITE_PERM: "it cannot be written; check the owner and mode of file and folder",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a backup (ocsctl restore)",
    sqlite3.SQLITE_NOTADB: "file is not a database; check [store] url, or restore a backup (ocsctl restore)",
    sqlite3.SQLITE_IOERR: "its disk reports an error; make sure that it has room and is sound",
    sqlite3.SQLITE_BUSY: "another program keeps it locked; end that program",
}


class StoreFile:
    """The file behind `[store] url`; a symbolic link is followed, so that one file has one lock."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self._lock: IO[str] | None = None
        self._identity: tuple[int, int] | None = None

    def prepare(self, *, make: bool) -> None:
        """Make folder and file if they are missing and `make` says so; judge what is there. Raises `StoreError`."""
        folder = os.path.dirname(self.path)
        try:
            if make and not os.path.exists(folder):
                os.makedirs(folder)
                os.chmod(folder, _FOLDER_MODE)
            self._make_file(make=make)
        except OSError as error:
            raise self.problem(f"{error.strerror}; check [store] url") from error
        if not os.path.isfile(self.path):
            raise self.problem("unable to open database file: it is not a regular file; check [store] url")
        for place, what in ((self.path, "the file"), (folder, f"the folder {folder}")):
            if not os.access(place, os.R_OK | os.W_OK):
                if os.statvfs(place).f_flag & os.ST_RDONLY:
                    raise self.problem("its disk is read-only; mount it so that it can be written")
                raise self.problem(
                    f"user {_user_name(os.geteuid())} may not write {what}, which belongs to user"
                    f" {_user_name(os.stat(place).st_uid)}"
                )
        self._check_length()

    def _make_file(self, *, make: bool) -> None:
        if not make:
            os.stat(self.path)
            return
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
            os.fchmod(descriptor, _FILE_MODE)
            os.close(descriptor)

    def _check_length(self) -> None:
        """Refuse a file that was cut off: SQLite sees that only when it comes to the pages that are missing."""
        if self.log_size:
            # What the log has is not in the file yet.
            return
        with open(self.path, "rb") as stream:
            header = stream.read(_HEADER)
        size = os.path.getsize(self.path)
        if len(header) < _HEADER or header[24:28] != header[92:96]:
            return
        page = int.from_bytes(header[16:18], "big")
        pages = int.from_bytes(header[28:32], "big")
        if pages * (65536 if page == 1 else page) > size:
            raise self.problem(f"it is damaged: its end is missing; {_REMEDIES[sqlite3.SQLITE_CORRUPT].split('; ')[1]}")

    @property
    def is_in_folder(self) -> bool:
        """Whether there is such a file, or anything else of that name."""
        return os.path.lexists(self.path)

    @property
    def is_small(self) -> bool:
        """Whether the file may be read through at the start."""
        return os.path.getsize(self.path) <= _SMALL

    @property
    def log_size(self) -> int:
        """The size of the write-ahead log in bytes."""
        try:
            return os.path.getsize(f"{self.path}-wal")
        except OSError:
            return 0

    def problem(self, reason: str) -> StoreError:
        """Return the error for a store that cannot be opened, in one sentence."""
        return StoreError(f"the store {self.path} cannot be opened: {reason}")

    def problem_of(self, error: sqlite3.Error) -> StoreError:
        """Return the error for what SQLite says."""
        return self.problem(_REMEDIES.get(primary_code(error), masked(str(error))))

    def problem_of_system(self, error: OSError) -> StoreError:
        """Return the error for what the system says about the file, or about those beside it."""
        if error.errno in _NO_ROOM:
            return self.problem(_REMEDIES[sqlite3.SQLITE_FULL])
        return self.problem(f"{error.strerror or error}; check [store] url and its folder")

    # Who uses it.

    def lock(self, *, shared: bool = False) -> bool:
        """Let no second server work on the same file; the system frees the lock when the process ends.

        With `shared` another server of a pair may: return whether there is none, so that nobody else comes before
        `share`. Raises `StoreError`.
        """
        try:
            # Not opened with a context manager: the lock lives as long as the file is open.
            lock = open(f"{self.path}.lock", "a+", encoding="ascii", opener=_open_private)  # noqa: SIM115
        except OSError as error:
            raise self.problem(f"{error.strerror}; check [store] url") from error
        is_alone = _try_lock(lock, fcntl.LOCK_EX)
        if not is_alone and not (shared and _try_lock(lock, fcntl.LOCK_SH)):
            lock.seek(0)
            holder = " and ".join(lock.read().split()) or "unknown"
            lock.close()
            hint = "" if shared else "; stop that server or use another [store] url"
            raise StoreError(f"the store {self.path} is in use by process {holder}{hint}")
        self._lock = lock
        if is_alone:
            lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return is_alone

    def share(self) -> None:
        """Let another server of the pair in. Raises `StoreError`."""
        if self._lock is None or not _try_lock(self._lock, fcntl.LOCK_SH):
            raise self.problem("another program has locked it in the same moment")

    def unlock(self) -> None:
        """Free the lock, if we have it."""
        if self._lock is not None:
            # What a full disk has not taken it does not take now either; the descriptor is closed all the same.
            with contextlib.suppress(OSError):
                self._lock.close()
            self._lock = None

    # Is it still there?

    def remember(self) -> None:
        """Remember which file was opened."""
        status = os.stat(self.path)
        self._identity = (status.st_dev, status.st_ino)

    @property
    def is_in_place(self) -> bool:
        """Whether the file that was opened still has its name; what is written to one without it is lost."""
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity


def _try_lock(lock: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _open_private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, _FILE_MODE)
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, _FILE_MODE)
    return descriptor


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"
