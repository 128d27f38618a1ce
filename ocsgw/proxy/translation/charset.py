"""Character encodings of bodies (http.md section 7)."""

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from ocsgw.protocol.errors import Refusal

UTF8 = "utf-8"

# Python's name of each encoding of H133, as it is read and written here, and its names in the IANA registry; "utf8" is
# in use all the same.
_NAMES = {
    "utf-8": "UTF-8 csUTF8 utf8",
    "ascii": "US-ASCII iso-ir-6 ANSI_X3.4-1968 ANSI_X3.4-1986 ISO_646.irv:1991 ISO646-US us IBM367 cp367 csASCII",
    "iso8859-1": "ISO-8859-1 ISO_8859-1 ISO_8859-1:1987 iso-ir-100 latin1 l1 IBM819 CP819 csISOLatin1",
    "iso8859-2": "ISO-8859-2 ISO_8859-2 ISO_8859-2:1987 iso-ir-101 latin2 l2 csISOLatin2",
    "iso8859-3": "ISO-8859-3 ISO_8859-3 ISO_8859-3:1988 iso-ir-109 latin3 l3 csISOLatin3",
    "iso8859-4": "ISO-8859-4 ISO_8859-4 ISO_8859-4:1988 iso-ir-110 latin4 l4 csISOLatin4",
    "iso8859-5": "ISO-8859-5 ISO_8859-5 ISO_8859-5:1988 iso-ir-144 cyrillic csISOLatinCyrillic",
    "iso8859-6": "ISO-8859-6 ISO_8859-6 ISO_8859-6:1987 iso-ir-127 ECMA-114 ASMO-708 arabic csISOLatinArabic "
    "ISO-8859-6-E ISO_8859-6-E csISO88596E ISO-8859-6-I ISO_8859-6-I csISO88596I",
    "iso8859-7": "ISO-8859-7 ISO_8859-7 ISO_8859-7:1987 iso-ir-126 ELOT_928 ECMA-118 greek greek8 csISOLatinGreek",
    "iso8859-8": "ISO-8859-8 ISO_8859-8 ISO_8859-8:1988 iso-ir-138 hebrew csISOLatinHebrew "
    "ISO-8859-8-E ISO_8859-8-E csISO88598E ISO-8859-8-I ISO_8859-8-I csISO88598I",
    "iso8859-9": "ISO-8859-9 ISO_8859-9 ISO_8859-9:1989 iso-ir-148 latin5 l5 csISOLatin5",
    "iso8859-10": "ISO-8859-10 ISO_8859-10:1992 iso-ir-157 latin6 l6 csISOLatin6",
    "iso8859-11": "ISO-8859-11",
    "iso8859-13": "ISO-8859-13 csISO885913",
    "iso8859-14": "ISO-8859-14 ISO_8859-14 ISO_8859-14:1998 iso-ir-199 latin8 l8 iso-celtic csISO885914",
    "iso8859-15": "ISO-8859-15 ISO_8859-15 Latin-9 csISO885915",
    "iso8859-16": "ISO-8859-16 ISO_8859-16 ISO_8859-16:2001 iso-ir-226 latin10 l10 csISO885916",
    **{f"cp{page}": f"windows-{page} cswindows{page}" for page in range(1250, 1259)},
    "koi8-r": "KOI8-R csKOI8R",
    "koi8-u": "KOI8-U csKOI8U",
    "cp437": "IBM437 cp437 437 csPC8CodePage437",
    "cp850": "IBM850 cp850 850 csPC850Multilingual",
    "cp852": "IBM852 cp852 852 csPCp852",
    "cp866": "IBM866 cp866 866 csIBM866",
    "cp932": "Shift_JIS MS_Kanji csShiftJIS Windows-31J csWindows31J",
    "euc_jp": "EUC-JP Extended_UNIX_Code_Packed_Format_for_Japanese csEUCPkdFmtJapanese",
    "iso2022_jp": "ISO-2022-JP csISO2022JP",
    "cp949": "EUC-KR csEUCKR",
    "gbk": "GBK CP936 MS936 windows-936 csGBK",
    "gb18030": "GB18030 csGB18030",
    "cp950": "Big5 csBig5",
}
# By these names programs on Windows, and what talks to them, mean the code pages of Windows, which have more characters
# and differ in a few; so they are read and written everywhere (WHATWG Encoding, section 4.2).
_AS_WINDOWS = MappingProxyType({"shift_jis": "cp932", "euc_kr": "cp949", "big5": "cp950"})
# Characters that some clients have beside those: the Hong Kong supplement, and the euro sign of code page 936.
_FURTHER = MappingProxyType({"cp950": "big5hkscs"})
_FURTHER_BYTES = MappingProxyType({("gbk", 0x80): "\u20ac"})
# Name in lower case -> Python's name.
CHARSETS = MappingProxyType({name.lower(): codec for codec, names in _NAMES.items() for name in names.split()})

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
    codec = _AS_WINDOWS.get(codec, codec)
    if codec not in _NAMES:
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
