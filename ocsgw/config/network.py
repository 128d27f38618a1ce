"""Readers of addresses, URIs, HTTP headers and TLS versions."""

import ipaddress
import re
import urllib.parse
from typing import Any, Final, Literal

from ocsgw.config.constants import CUSTOM_HEADERS
from ocsgw.config.problems import alternatives, quoted
from ocsgw.config.schema import InvalidValueError, Place
from ocsgw.config.values import array, one_of, shown, text, type_name

Header = tuple[str, str]

TLS_VERSIONS: Final = ("TLSv12", "TLSv13")

_BROKEN_TLS_VERSIONS: Final = ("SSLv2", "SSLv3", "TLSv1", "TLSv11")
_HOST_LABEL: Final = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_HOST_NAME: Final = re.compile(rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*\.?")
_HOST_CHARACTERS: Final = 253
_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_URI_CHARACTERS: Final = re.compile(r"[!-~]+")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t -~]*")

_FRAMING_HEADERS: Final = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "content-encoding", "content-range"}
)
_ANSWER_HEADERS: Final = _FRAMING_HEADERS | {"date", "server", "content-type"}
_REQUEST_HEADERS: Final = _FRAMING_HEADERS | {"host", "content-type", "expect"}


def interface(value: Any, place: Place) -> str:
    """Read what a listener binds to: an IP address, into its usual short form, or ``localhost``."""
    written: str = text(at_least=1)(value, place)
    if written == "localhost":
        return written
    try:
        return str(ipaddress.ip_address(written))
    except ValueError:
        raise InvalidValueError(
            f'must be an IP address or "localhost", not {shown(written)}',
            'write for example "127.0.0.1", or "0.0.0.0" or "::" for all interfaces',
        ) from None


def host(value: Any, place: Place) -> str:
    """Read a host name or an IP address into the form it has in a URI."""
    written: str = text(_HOST_CHARACTERS, at_least=1)(value, place)
    try:
        return host_in_uri(str(ipaddress.ip_address(written.removeprefix("[").removesuffix("]"))))
    except ValueError:
        pass
    if _HOST_NAME.fullmatch(written) is None:
        raise InvalidValueError(
            f"must be a host name or an IP address, not {shown(written)}",
            'write the name alone, for example "ocs.example"; public_port has the port',
        )
    return written


def host_in_uri(address: str) -> str:
    """Put an IPv6 address in brackets."""
    return f"[{address}]" if ":" in address else address


def uri(value: Any, place: Place) -> str:
    """Read an absolute ``http`` or ``https`` URI without user information (O2, O7)."""
    written, _ = _split_uri(value, place, ("http", "https"))
    return written


def origin(value: Any, place: Place) -> str:
    """Read the origin of pages, as browsers write it, or ``*`` for every one."""
    written: str = text(at_least=1)(value, place)
    if written == "*" or _ORIGIN.fullmatch(written):
        return written
    meant = written.lower().rstrip("/")
    shown_as = meant if _ORIGIN.fullmatch(meant) else "https://host:port"
    raise InvalidValueError("must be an origin as browsers write it, or *", f'write it as "{shown_as}", without a path')


def http_proxy(value: Any, place: Place) -> str:
    """Read the address of an HTTP proxy for outgoing calls, ``http://host:port`` (O65)."""
    written, parts = _split_uri(value, place, ("http",))
    if parts.port is None or parts.path not in {"", "/"} or parts.query:
        raise InvalidValueError("must have a host and a port, and no path", 'write it as "http://host:port"')
    return written


def _split_uri(value: Any, place: Place, schemes: tuple[str, ...]) -> tuple[str, urllib.parse.SplitResult]:
    # Messages do not repeat the URI: it may have a password in it.
    written: str = text(at_least=1)(value, place)
    example = f'write it as "{schemes[0]}://host:port/path"'
    if _URI_CHARACTERS.fullmatch(written) is None:
        raise InvalidValueError(
            "must have ASCII characters only, and no blank", "encode the others with per cent signs"
        )
    try:
        parts = urllib.parse.urlsplit(written)
        port = parts.port
    except ValueError:
        raise InvalidValueError("is not a valid URI", example) from None
    if parts.scheme not in schemes:
        raise InvalidValueError(f"must be a URI with the scheme {alternatives(schemes)}", example)
    if not parts.hostname or port == 0:
        raise InvalidValueError("must name a host, and a port other than 0 if any", example)
    if "@" in parts.netloc:
        raise InvalidValueError("must not have user information", "give credentials as a header in headers_file")
    if "#" in written:
        raise InvalidValueError("must not have a fragment", 'leave out what begins with "#"')
    return written, parts


def custom_headers(value: Any, place: Place) -> tuple[Header, ...]:
    """Read ``http_custom_headers``: true for those of C20, false for none, or an array of headers."""
    if isinstance(value, bool):
        return CUSTOM_HEADERS if value else ()
    if not isinstance(value, list):
        raise InvalidValueError(
            f"must be a boolean or an array, not {type_name(value)}",
            'write true, false or for example ["X-Frame-Options: DENY"]',
        )
    headers: tuple[Header, ...] = array(_answer_header, distinct=False)(value, place)
    return headers


def _answer_header(value: Any, _place: Place) -> Header:
    if not isinstance(value, str):
        raise InvalidValueError(f"must be a string, not {type_name(value)}", 'write it as "Name: value"')
    return _header(value, _ANSWER_HEADERS)


def request_header(line: str) -> Header:
    """Read one line of a file of headers for outgoing calls (O7)."""
    return _header(line, _REQUEST_HEADERS)


def _header(line: str, reserved: frozenset[str]) -> Header:
    # Messages do not repeat the value: it may be a secret.
    header_name, colon, value = line.partition(":")
    if not colon or _HEADER_NAME.fullmatch(header_name) is None:
        raise InvalidValueError(
            "is not a valid header", 'write it as "Name: value"; the name has letters, digits and hyphens'
        )
    if header_name.lower() in reserved:
        raise InvalidValueError(
            f"must not set the header {quoted(header_name)}", "leave it out; ocsgw sets it itself if needed"
        )
    if _HEADER_VALUE.fullmatch(value) is None:
        raise InvalidValueError(
            f"has a value of {quoted(header_name)} with control characters or characters beyond ASCII",
            "write the value in printable ASCII, in one line",
        )
    return header_name, value.strip(" \t")


def tls_versions(value: Any, place: Place) -> tuple[str, ...]:
    """Read ``sec_protocol``: one version of TLS or an array, into the versions in ascending order."""
    if isinstance(value, str):
        value = [value]
    named = array(_tls_version, at_least=1)(value, place)
    if "SSLv23" in named:
        place.warn(
            f'"SSLv23" is read as the default, {alternatives(TLS_VERSIONS, "and")}',
            "leave sec_protocol out, or name the versions",
        )
        return TLS_VERSIONS
    return tuple(version for version in TLS_VERSIONS if version in named)


def _tls_version(value: Any, place: Place) -> str:
    if value in _BROKEN_TLS_VERSIONS:
        raise InvalidValueError(
            f"{value} is not supported, because it is not secure", 'write "TLSv12", "TLSv13" or both'
        )
    version: str = one_of(*TLS_VERSIONS, "SSLv23")(value, place)
    return version


def mutual_tls(value: Any, _place: Place) -> bool | Literal["optional"]:
    """Read ``tls_mutual``: whether a client certificate is needed, or only asked for."""
    if isinstance(value, bool):
        return value
    if value == "optional":
        return "optional"
    raise InvalidValueError(f'must be true, false or "optional", not {shown(value)}', "write one of these three")
