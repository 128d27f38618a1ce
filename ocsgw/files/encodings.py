"""Names of encodings, as a user writes them."""

import codecs

from ocsgw.files.errors import FileOptionError

# Encodings of Python that are not those of files.
_NOT_OF_FILES = frozenset(
    {"idna", "mbcs", "oem", "palmos", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)


def codec_of(encoding: str) -> str:
    """Return the name of the codec of an encoding. Raises `FileOptionError`."""
    try:
        name = codecs.lookup(encoding).name
        usable = name not in _NOT_OF_FILES and "".encode(name) is not None
    except (LookupError, UnicodeError, ValueError):
        usable = False
    if not usable:
        raise FileOptionError(f"{encoding!r} is not a known encoding of files; write for example utf-8 or windows-1252")
    return name
