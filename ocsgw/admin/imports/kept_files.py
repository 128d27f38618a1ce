"""Files that a browser has sent, on the disk of the state directory until their import is over."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ocsgw.admin.imports.nameless import NamelessFile
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

    `key` is known to its sender alone. `name` and `size`, in bytes, are those in the browser. `verdicts` gets what
    became of each row.
    """

    key: str
    contents: NamelessFile
    verdicts: NamelessFile
    name: str
    principal: str
    touched: float
    calling_list: str | None = None
    size: int = 0
    options: ImportOptions = field(default_factory=ImportOptions)
    # None until somebody looks, and after anything that may change it.
    looked: Looked | None = None
    run: ImportRun | None = None


class KeptFiles:
    """The files on the disk of a folder, which they share with others. `clock` gives seconds."""

    def __init__(self, folder: str, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._files: dict[str, KeptFile] = {}

    def check_room(self, size: int | None) -> None:
        """Raise `NotKeptError` if there is no place for a further file of so many bytes, None if nobody knows yet."""
        if size is not None and size > LARGEST:
            raise NotKeptError(f"a file may have {LARGEST >> 20} MiB here; import a larger one with ocsctl list import")
        self.tidy()
        self._make_room()
        if len(self._files) >= _MOST:
            raise NotKeptError(self._full())
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise NotKeptError(f"{self._folder} cannot be used: {error.strerror or error}") from None
        if free - (size if size is not None else LARGEST) < _LEFT_FREE:
            raise NotKeptError(f"the disk with {self._folder} has too little space left for this file")

    def open(self, name: str, principal: str) -> KeptFile:
        """Begin to keep a file. Raises `OSError`."""
        key = secrets.token_urlsafe(16)
        contents, verdicts = NamelessFile(self._folder), NamelessFile(self._folder)
        kept = self._files[key] = KeptFile(key, contents, verdicts, name, principal, self._clock())
        return kept

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
        kept.contents.close()
        kept.verdicts.close()

    def tidy(self) -> None:
        """Forget what nobody has touched for long, unless it is being worked on."""
        now = self._clock()
        for each in list(self._files.values()):
            if each.run is not None and each.run.is_under_way:
                each.touched = now
            elif now - each.touched >= _FORGOTTEN:
                self.discard(each)

    def _full(self) -> str:
        under_way = sum(each.run is not None and each.run.is_under_way for each in self._files.values())
        imported = f" and {under_way} are being imported" if under_way else ""
        return f"{len(self._files) - under_way} files wait already{imported}; import or discard one"

    def _make_room(self) -> None:
        """Forget the oldest files of which nothing but verdicts is left to see."""
        over = [each for each in self._files.values() if each.run is not None and each.run.is_complete]
        for each in over[: max(len(self._files) - _MOST + 1, 0)]:
            self.discard(each)

    def close(self) -> None:
        """Forget all."""
        for each in list(self._files.values()):
            self.discard(each)
