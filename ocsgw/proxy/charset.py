"""Character encodings of bodies (http.md section 7)."""

import codecs
import re
from functools import lru_cache

from ocsgw.protocol.errors import Refusal

_NON_ASCII = re.compile("[^\x00-\x7f]")

# Python's names of the encodings of H133. A name of a request or of the option is looked up and must be among them.
_KNOWN = frozenset(
    {
        "utf-8",
        "ascii",
        *(f"iso8859-{part}" for part in range(1, 17) if part != 12),
        *(f"cp{page}" for page in range(1250, 1259)),
        "koi8-r",
        "koi8-u",
        "cp437",
        "cp850",
        "cp852",
        "cp866",
        "shift_jis",
        "euc_jp",
        "iso2022_jp",
        "euc_kr",
        "gbk",
        "gb18030",
        "big5",
    }
)


@lru_cache(maxsize=256)
def known_codec(name: str) -> str | None:
    """Return Python's name of the encoding that a client or the option calls `name`, None if unknown (H133)."""
    if len(name) > 40 or not name.isascii() or "\0" in name:
        return None
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        return None
    return codec if codec in _KNOWN else None


def decode_body(body: bytes, codec: str, shown_name: str) -> str:
    """Return the text of a body. Raises `Refusal` `invalid_text` with the name that the client knows."""
    try:
        return body.decode(codec)
    except UnicodeDecodeError:
        raise Refusal("invalid_text", shown_name) from None


def is_utf8_beyond_ascii(body: bytes) -> bool:
    """Whether a body is valid UTF-8 and has a byte above 0x7F (H132 b)."""
    if body.isascii():
        return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def encode_json(text: str, codec: str) -> bytes:
    """Return JSON text in an encoding; characters that it lacks become JSON escapes (H134).

    Some encodings put a character of another script on an ASCII place (the yen sign of Shift_JIS on the backslash),
    which a JSON reader would misread: whatever does not come back as it was is escaped too.
    """
    try:
        raw = text.encode(codec)
        if raw.decode(codec) == text:
            return raw
    except UnicodeError:
        pass
    return _NON_ASCII.sub(lambda match: _or_escape(match.group(), codec), text).encode(codec)


def _or_escape(character: str, codec: str) -> str:
    try:
        if character.encode(codec).decode(codec) == character and not character.encode(codec).isascii():
            return character
    except UnicodeError:
        pass
    return "".join(f"\\u{unit:04x}" for unit in _utf16_units(character))


def _utf16_units(character: str) -> tuple[int, ...]:
    raw = character.encode("utf-16-be")
    return tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2))
