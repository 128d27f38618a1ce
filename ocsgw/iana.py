"""Which names of the IANA database stand for the same time zone: old names (links) and new ones (http.md H175)."""

import hashlib
import os
import zoneinfo
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec

# Folders beside the zones: other forms of the same data.
_OTHER_FORMS = frozenset({"posix", "right"})
# Files that stand for whatever the machine uses.
_NOT_NAMES = frozenset({"localtime", "posixrules", "Factory"})
_MAGIC = b"TZif"


def equal_names(key: str) -> frozenset[str]:
    """Return the names that have the same data as `key`, itself included.

    Names are equal if any installed database says so: the system may have only the new ones.
    """
    names = {key}
    for folder in _databases():
        digests, by_digest = _read(folder, _version(folder))
        if key in digests:
            names |= by_digest[digests[key]]
    return frozenset(names)


def _databases() -> Iterable[str]:
    yield from zoneinfo.TZPATH
    package = find_spec("tzdata")
    if package is not None and package.origin is not None:
        yield os.path.join(os.path.dirname(package.origin), "zoneinfo")


def _version(folder: str) -> int:
    """Return what changes when a database is replaced."""
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=8)
def _read(folder: str, _version: int) -> tuple[dict[str, bytes], dict[bytes, set[str]]]:
    """Return the digest of the data of each name, and the names of each digest."""
    digests: dict[str, bytes] = {}
    by_digest: dict[bytes, set[str]] = {}
    for path, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each not in _OTHER_FORMS]
        for file in sorted(set(files) - _NOT_NAMES):
            place = os.path.join(path, file)
            try:
                with open(place, "rb") as stream:
                    data = stream.read()
            except OSError:
                continue
            if data.startswith(_MAGIC):
                name = os.path.relpath(place, folder).replace(os.sep, "/")
                digests[name] = digest = hashlib.sha256(data).digest()
                by_digest.setdefault(digest, set()).add(name)
    return digests, by_digest
