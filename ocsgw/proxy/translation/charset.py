"""Character encodings of bodies (http.md section 7)."""

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from ocsgw.protocol.charsets import AS_WINDOWS, CHARSET_NAMES
from ocsgw.protocol.errors import Refusal

UTF8 = "utf-8"

# Characters that some clients have beside those: the Hong Kong supplement, and the euro sign of code page 936.
_FURTHER = MappingProxyType({"cp950": "big5hkscs"})
_FURTHER_BYTES = MappingProxyType({("gbk", 0x80): "\u20ac"})
# Name in lower case -> Python's name.
CHARSETS = MappingProxyType({name.lower(): codec for codec, names in CHARSET_NAMES.items() for name in names.split()})

# What Python makes of single bytes that the code page does not have.
_NO_CHARACTER_OF_CP932 = re.compile("[\x80\xa0\uf8f0-\uf8f3]").search
_NON_ASCII = re.compile("[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding other than UTF-8: Python's name of it, and the name that clients get, in lower case (H135)."""

    codec: str
    name: str


def codec_of_charset(name: str) -> str | None:
    """Return Python's name of the encoding that a client calls `name`, None if it is not known (H133)."""
    return CHARSETS.get(name.lower()) if name.isascii() else None


def encoding_of_option(value: str | None) -> Encoding | None:
    """Return the encoding that the option `encoding` names, None for UTF-8 and without a value (H131, H137).

    The configuration also takes other spellings that Python knows. Raises `LookupError` for an unknown name.
    """
    if value is None:
        return None
    codec = codec_of_charset(value) or codecs.lookup(value).name
    codec = AS_WINDOWS.get(codec, codec)
    if codec not in CHARSET_NAMES:
        raise LookupError(f"{value} is not a known character encoding")
    return None if codec == UTF8 else Encoding(codec, value.lower())


def decode_body(body: bytes, codec: str, shown_name: str) -> str:
    """Return the text of a body. Raises `Refusal` `invalid_text` with the name that the client knows (H132)."""
    try:
        text = body.decode(codec, _DECODE_FURTHER)
    except UnicodeDecodeError:
        raise Refusal("invalid_text", shown_name) from None
    if codec == "cp932" and _NO_CHARACTER_OF_CP932(text):
        raise Refusal("invalid_text", shown_name)
    return text


_DECODE_FURTHER = "ocsgw.further"


def _decode_further(error: UnicodeError) -> tuple[str, int]:
    """Decode one character that only the further table of an encoding has; raise `error` if that has none either."""
    if isinstance(error, UnicodeDecodeError):
        at = error.start
        single = _FURTHER_BYTES.get((error.encoding, error.object[at]))
        if single is not None:
            return single, at + 1
        further = _FURTHER.get(error.encoding)
        if further is not None:
            with suppress(UnicodeDecodeError):
                return error.object[at : at + 2].decode(further), at + 2
    raise error


codecs.register_error(_DECODE_FURTHER, _decode_further)


def is_utf8_beyond_ascii(body: bytes) -> bool:
    """Whether a body is valid UTF-8 and has a byte above 0x7F (H132 b)."""
    if body.isascii():
        return False
    try:
        body.decode(UTF8)
    except UnicodeDecodeError:
        return False
    return True


def encode_json(text: str, codec: str) -> bytes:
    """Return JSON text in an encoding; characters that it lacks become JSON escapes (H134).

    Some encodings put a character of another script on an ASCII place (the yen sign of Shift_JIS on the backslash),
    which a JSON reader would misread: whatever does not come back as it was is escaped too.
    """
    if _comes_back(text, codec):
        return text.encode(codec)
    return _NON_ASCII.sub(lambda match: _or_escape(match.group(), codec), text).encode(codec)


def _comes_back(text: str, codec: str) -> bool:
    try:
        return text.encode(codec).decode(codec) == text
    except UnicodeError:
        return False


def _or_escape(character: str, codec: str) -> str:
    if _comes_back(character, codec):
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
