"""Reading of the configuration file and of the files that it names: whole, bounded, and without waiting."""

import os
import stat
from typing import Final, NamedTuple

LARGEST_FILE: Final = 16 * 2**20
"""Bytes; no configuration, certificate chain or revocation list is larger."""


class UnreadableError(Exception):
    """A file cannot be used; the text says why, to be put behind its name."""


class Contents(NamedTuple):
    """What a file has, and its mode as ``stat`` gives it."""

    data: bytes
    mode: int


def read_file(path: str) -> Contents:
    """Read a file. Raises `UnreadableError` for what cannot be read, has no end, or would have to be waited for."""
    try:
        # Looked at before it is opened: opening a device may do something, opening a pipe may take for ever.
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind != stat.S_IFREG:
            raise UnreadableError(f"it is {_KINDS.get(kind, 'something else')}, not a file")
        with open(path, "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
    if len(data) > LARGEST_FILE:
        raise UnreadableError(f"it has more than {LARGEST_FILE // 2**20} MiB")
    return Contents(data, mode)


_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
