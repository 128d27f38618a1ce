"""Readers of paths, of files with certificates or secrets, and of the store's address."""

import base64
import os
import re
import stat
import urllib.parse
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from ocsgw.access.keys import digest_of, is_digest
from ocsgw.config.network import request_header
from ocsgw.config.part import PemFile, Secret
from ocsgw.config.problems import quoted
from ocsgw.config.reading import UnreadableError, read_file
from ocsgw.config.schema import InvalidValueError, Place
from ocsgw.config.values import text

_API_KEY: Final = re.compile(r"[!-~][ -~]{14,510}[!-~]")
_SECRET_PARAMETERS: Final = frozenset({"password", "sslpassword"})
# systemd, LoadCredential=: https://systemd.io/CREDENTIALS
_CREDENTIAL: Final = "credential:"
_POSTGRESQL: Final = "postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full"


class StoreUrl(NamedTuple):
    """``[store] url``, taken apart."""

    url: str
    kind: Literal["sqlite", "postgresql"]
    file: str | None


def path(value: Any, place: Place) -> str:
    """Read a path, relative to the directory of the configuration file (C7)."""
    return os.path.join(place.directory, _path_text(value, place))


def state_directory(value: Any, place: Place) -> str:
    """Read the directory of the running server, relative to the directory of the configuration file."""
    written = _path_text(value, place)
    return _settled(written, place, lambda there: f'write "{there}"')


def _settled(relative: str, place: Place, remedy: Callable[[str], str]) -> str:
    """Return the path of what the server itself has made, which must not begin anew unnoticed.

    Formerly such paths began at the working directory. What still lies there, and is not yet at the
    directory of the configuration file, is a problem: the server would come up without its records.
    """
    now = os.path.join(place.directory, relative)
    before = os.path.abspath(relative) if _has_working_directory() else now
    if os.path.exists(before) and not os.path.exists(now):
        raise InvalidValueError(
            f"begins at the directory of the configuration file now, where {quoted(now, at_most=len(now))} does not "
            f"exist; formerly it began at the working directory, where {quoted(before, at_most=len(before))} is",
            f"{remedy(before)} to go on with that, or move it",
        )
    return now


def _has_working_directory() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def log_target(value: Any, place: Place) -> str:
    """Read ``[log] target``: ``stdout`` or a path."""
    return "stdout" if value == "stdout" else path(value, place)


def pem(value: Any, place: Place) -> PemFile:
    """Read a file with certificates or revocation lists."""
    file = _readable(value, place)
    return PemFile(file, _contents(file, place, secret=False))


def private_pem(value: Any, place: Place) -> PemFile:
    """Read a file with a private key, which others must not be able to read (C6)."""
    file = _readable(value, place)
    return PemFile(file, _contents(file, place, secret=True))


def secret(value: Any, place: Place) -> Secret:
    """Read a file with a secret (C6)."""
    return Secret(_secret_text(value, place))


def api_key(value: Any, place: Place) -> Secret:
    """Read a file with an API key, 16 to 512 printable ASCII characters (section 5), or with its SHA-256.

    Only the SHA-256 is kept.
    """
    key = _secret_text(value, place)
    if is_digest(key):
        return Secret(key.lower())
    if _API_KEY.fullmatch(key) is None:
        raise InvalidValueError(
            "the file must have 16 to 512 printable ASCII characters, with no blank at the ends",
            "write a key of letters and digits into it, in one line, or make one with: ocsgw key create NAME",
        )
    return Secret(digest_of(key))


def signing_key(value: Any, place: Place) -> Secret:
    """Read a file with a key of Standard Webhooks: ``whsec_`` and 24 to 64 bytes in base64."""
    written = _secret_text(value, place)
    try:
        key = base64.b64decode(written.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not written.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise InvalidValueError(
            "the file must have a key of Standard Webhooks, whsec_ and 24 to 64 bytes in base64",
            'make one with: printf "whsec_%s" "$(openssl rand -base64 32)"',
        )
    return Secret(written)


def headers(value: Any, place: Place) -> tuple[tuple[str, Secret], ...]:
    """Read a file with one ``Name: value`` per line (O7); empty lines do not count."""
    refusal = InvalidValueError()
    found = []
    for number, line in enumerate(_secret_text(value, place).split("\n"), 1):
        stripped = line.removesuffix("\r")
        if not stripped:
            continue
        try:
            header_name, header_value = request_header(stripped)
            found.append((header_name, Secret(header_value)))
        except InvalidValueError as invalid:
            for _, message, hint in invalid.issues:
                refusal.add((), InvalidValueError(f"line {number} of the file {message}", hint))
    if refusal.issues:
        raise refusal
    return tuple(found)


def store_url(value: Any, place: Place) -> StoreUrl:
    """Read the address of the store (section 6); a password in it is an error."""
    # Messages do not repeat the address: it may have a password in it.
    url: str = text(at_least=1)(value, place)
    hint = f'write "sqlite:///FILE" or "{_POSTGRESQL}"'
    if url.startswith("sqlite:"):
        file = url.removeprefix("sqlite:///")
        if file in {url, "", ":memory:"} or file.endswith("/") or "?" in file:
            raise InvalidValueError("must name a file, without parameters", hint)
        return StoreUrl(url, "sqlite", _settled(file, place, lambda there: f'write url = "sqlite:///{there}"'))
    if not url.startswith("postgresql://"):
        raise InvalidValueError("must begin with sqlite:/// or postgresql://", hint)
    try:
        parts = urllib.parse.urlsplit(url)
        parameters = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        _, _, hosts = parts.netloc.rpartition("@")
        for host in hosts.split(","):
            _ = urllib.parse.urlsplit(f"//{host}").port  # raises ValueError if it is not a port
    except ValueError:
        raise InvalidValueError("is not a valid address of a database", hint) from None
    if parts.password is not None or _SECRET_PARAMETERS & parameters.keys():
        raise InvalidValueError("must not have a password", "write it into a file and name that in password_file")
    if not parts.path.strip("/"):
        raise InvalidValueError("must name a database", hint)
    return StoreUrl(url, "postgresql", None)


def _path_text(value: Any, place: Place) -> str:
    written: str = text(at_least=1)(value, place)
    return written


def _readable(value: Any, place: Place) -> str:
    """Return the path of a file that is read: ``credential:NAME`` stands for one from the service manager."""
    written = _path_text(value, place)
    if not written.startswith(_CREDENTIAL):
        return path(value, place)
    credential = written.removeprefix(_CREDENTIAL)
    if not credential or "/" in credential:
        raise InvalidValueError("is not a valid name of a credential", f'write "{_CREDENTIAL}NAME", without slashes')
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory is None:
        raise InvalidValueError(
            f"names the credential {quoted(credential)}, but CREDENTIALS_DIRECTORY is not set",
            f"start as a systemd unit with LoadCredential={credential}:FILE; for other programs set the variable "
            "to /run/credentials/UNIT",
        )
    return os.path.join(directory, credential)


def _secret_text(value: Any, place: Place) -> str:
    contents = _contents(_readable(value, place), place, secret=True)
    return re.sub(r"\r?\n\Z", "", contents)


def _contents(file: str, place: Place, *, secret: bool) -> str:
    shown = quoted(file, at_most=len(file))
    place.report.note_file(place.path, file)
    try:
        data, mode = read_file(file)
        contents = data.decode()
    except UnreadableError as error:
        raise InvalidValueError(
            f"cannot read {shown}: {error}",
            "give the path of a file that ocsgw may read; a relative one begins at the configuration file",
        ) from None
    except UnicodeError:
        raise InvalidValueError(f"{shown} is not text in UTF-8", "give the path of a PEM or text file") from None
    if secret and mode & (stat.S_IROTH | stat.S_IWOTH):
        raise InvalidValueError(f"{shown} is open to every user of the machine", f"chmod o= {file}")
    return contents
