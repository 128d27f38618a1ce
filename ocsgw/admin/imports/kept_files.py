"""Files that a browser has sent, in a folder of the state directory until their import is over."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from ocsgw.admin.imports.run import ImportRun
from ocsgw.files.options import ImportOptions

# Bytes; `ocsctl` imports larger files, which it reads in their place.
LARGEST = 2 << 30
# Bytes that a file leaves free on the disk, which the store may share.
_LEFT_FREE = 1 << 30
_MOST = 8
# Seconds after which a file goes that nobody has touched.
_FORGOTTEN = 3600.0


class NotKeptError(Exception):
    """A file cannot be kept; the text says why and what to do."""


@dataclass(slots=True)
class Looked:
    """How a file is read.

    `named` are the columns as its first row names them, `likely` what each is by its name, `chosen` what the user has
    made of it; None where nothing is known. `problem` says why it cannot be imported so.
    """

    words: str = ""
    named: list[str] = field(default_factory=list)
    likely: list[str | None] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    sample: list[list[str]] = field(default_factory=list)
    problem: str = ""
    rows: int = 0
    imported: int | None = None


@dataclass(slots=True, eq=False)
class KeptFile:
    """A file of a principal, to be imported into a calling list, or without one into the do-not-call list.

    `key` is known to its sender alone. `name` and `size`, in bytes, are those in the browser.
    """

    key: str
    path: str
    name: str
    principal: str
    touched: float
    calling_list: str | None = None
    size: int = 0
    options: ImportOptions = field(default_factory=ImportOptions)
    # None until somebody looks, and after anything that may change it.
    looked: Looked | None = None
    run: ImportRun | None = None

    @property
    def verdicts(self) -> str:
        """The path of the file with what became of each row."""
        return f"{self.path}.verdicts"


class KeptFiles:
    """The files in a folder; what an earlier process has left there goes with the first one.

    `clock` gives seconds.
    """

    def __init__(self, folder: str, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._files: dict[str, KeptFile] = {}
        self._is_prepared = False

    def check_room(self, size: int | None) -> None:
        """Raise `NotKeptError` if there is no place for a further file of so many bytes, None if nobody knows yet."""
        if size is not None and size > LARGEST:
            raise NotKeptError(f"a file may have {LARGEST >> 20} MiB here; import a larger one with ocsctl list import")
        self.tidy()
        if len(self._files) >= _MOST:
            raise NotKeptError(f"{_MOST} files are being imported already; finish or discard one of them first")
        try:
            self._prepare()
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise NotKeptError(f"{self._folder} cannot be used: {error.strerror or error}") from None
        if free - (size if size is not None else LARGEST) < _LEFT_FREE:
            raise NotKeptError(f"the disk with {self._folder} has too little space left for this file")

    def open(self, name: str, principal: str) -> tuple[KeptFile, BinaryIO]:
        """Begin to keep a file. Raises `OSError`."""
        key = secrets.token_urlsafe(16)
        path = os.path.join(self._folder, secrets.token_hex(8))
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
        kept = self._files[key] = KeptFile(key, path, name, principal, self._clock())
        return kept, file

    def find(self, key: str, principal: str) -> KeptFile | None:
        """Return a file of a principal, if it is still there."""
        kept = self._files.get(key)
        if kept is None or kept.principal != principal:
            return None
        kept.touched = self._clock()
        return kept

    def of(self, principal: str) -> Iterator[KeptFile]:
        """Yield the files of a principal, the oldest first."""
        return (each for each in list(self._files.values()) if each.principal == principal)

    def discard(self, kept: KeptFile) -> None:
        """Forget a file; work on it ends with its present slice."""
        self._files.pop(kept.key, None)
        if kept.run is not None:
            kept.run.stop()
        for path in (kept.path, kept.verdicts):
            with suppress(OSError):
                os.unlink(path)

    def tidy(self) -> None:
        """Forget what nobody has touched for long, unless it is being worked on."""
        now = self._clock()
        for each in list(self._files.values()):
            if each.run is not None and each.run.is_under_way:
                each.touched = now
            elif now - each.touched >= _FORGOTTEN:
                self.discard(each)

    def close(self) -> None:
        """Forget all."""
        for each in list(self._files.values()):
            self.discard(each)

    def _prepare(self) -> None:
        """Make the folder, or empty one that an earlier process has left."""
        if self._is_prepared:
            return
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        for entry in os.scandir(self._folder):
            os.unlink(entry.path)
        self._is_prepared = True
