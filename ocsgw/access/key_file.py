"""Making an API key and its file (configuration.md section 5, C6)."""

import os
import re
from typing import Final, NamedTuple

from ocsgw.access.keys import digest_of, make_key

_MODE: Final = 0o600
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9._-]")


class KeyFileError(Exception):
    """A key file cannot be written; the text says why and what to do."""


class NewKey(NamedTuple):
    """A new key, shown once; its file; and the lines for the configuration."""

    key: str
    path: str
    lines: str


def create_key(name: str, directory: str, path: str | None = None, *, force: bool = False) -> NewKey:
    """Make a key for a principal and write its SHA-256, not the key, into a file of mode 0600.

    `directory` is that of the configuration file, to which a relative `path` refers (C7); the default is
    `keys/<name>.key`. An existing file is replaced only with `force`, and at once. Raises `KeyFileError`.
    """
    shown = path or os.path.join("keys", f"{_UNUSUAL.sub('_', name)}.key")
    file = os.path.join(directory, shown)
    key = make_key()
    try:
        os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
        if force:
            beside = f"{file}.{os.getpid()}"
            _write(beside, digest_of(key))
            os.replace(beside, file)
        else:
            _write(file, digest_of(key))
    except FileExistsError as error:
        raise KeyFileError(
            f"{error.filename} exists; for a second key of the same name give another --file, "
            "to replace this one add --force"
        ) from error
    except OSError as error:
        raise KeyFileError(f"cannot write {file}: {error.strerror}; give a --file that you may write") from error
    lines = f"[[api_key]]\nname = {_quoted(name)}\nkey_file = {_quoted(shown)}\n"
    return NewKey(key, file, lines)


def _write(file: str, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        # Whatever the umask says.
        os.fchmod(descriptor, _MODE)
        stream.write(f"{text}\n")
        stream.flush()
        os.fsync(descriptor)


def _quoted(text: str) -> str:
    """Return a text as a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
