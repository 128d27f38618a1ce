"""The character encodings that bodies may have (http.md H133)."""

from types import MappingProxyType

# Python's name of each encoding of H133, as it is read and written here, and its names in the IANA registry; "utf8" is
# in use all the same.
CHARSET_NAMES = {
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
AS_WINDOWS = MappingProxyType({"shift_jis": "cp932", "euc_kr": "cp949", "big5": "cp950"})

# All of them, by the names that Python gives them.
CODECS = frozenset(CHARSET_NAMES) - frozenset(AS_WINDOWS.values()) | frozenset(AS_WINDOWS)
