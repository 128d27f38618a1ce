"""How contacts, customer ids and names are compared (constants.md section 6.2, http.md H60).

One normal form decides everywhere whether two contacts are the same: do-not-call, duplicates, cancel, explanations.
With the country of a tenant it is the international form (E.164) of what is a valid number there. What is stored and
shown is what was given.
"""

import re
import unicodedata
import zlib
from functools import cache, lru_cache

# Characters that are removed from numbers, wherever they stand; beside them other white space, dashes and format
# characters, which are rare.
SEPARATORS = " \t-.()/_"
# How many characters at the end of a number its search key has: what comes before may be spelled in several ways.
KEY_LENGTH = 7

# To be changed with whatever changes a normal form: stored ones are renewed then.
_RULES = "2"
_COARSE = 4
_SCHEME = "tel:"

_PLAIN = re.compile(r"\+?[0-9]+", re.ASCII).fullmatch
_REMOVED = str.maketrans("", "", f"{SEPARATORS}\n\x0b\x0c\r\x1c\x1d\x1e\x1f")
# Dashes and format characters.
_REMOVED_CATEGORIES = frozenset({"Pd", "Cf"})
_EXTENSION = re.compile(r"(?<=[0-9])(?:ext|x)([0-9]+)\Z", re.ASCII | re.IGNORECASE)
_PARAMETER = re.compile(r";\s*ext\s*=\s*([0-9]+)", re.ASCII | re.IGNORECASE)
_NORMAL_EXTENSION = re.compile(r"(?<=[0-9])x[0-9]+\Z", re.ASCII)


def normal_contact(contact: str, country: str = "") -> str:
    """Return the normal form of a contact: two contacts are the same if their normal forms are equal (K40).

    `country` is that of the tenant, two letters as of ISO 3166; empty: numbers are compared as they are. The normal
    form of a normal form is itself.
    """
    if _PLAIN(contact):
        return _international(contact, country) if country else contact
    text = contact if contact.isascii() else unicodedata.normalize("NFKC", contact)
    text = text.strip()
    if "@" in text:
        return unicodedata.normalize("NFC", text.lower())
    number, semicolon, _ = text.partition(";")
    parameter = _PARAMETER.search(text) if semicolon else None
    number = _without_separators(number)
    # However often it stands there: what is in normal form has to stay as it is.
    while number[:4].lower() == _SCHEME:
        number = number[len(_SCHEME) :]
    extension = parameter[1] if parameter is not None else ""
    if not extension:
        found = _EXTENSION.search(number)
        if found is not None:
            number, extension = number[: found.start()], found[1]
    if country:
        number = _international(number, country)
    return f"{number}x{extension}" if extension else number


@cache
def rules_of(country: str) -> int:
    """Return a number of the rules by which `normal_contact` works in a country, for forms that are stored.

    It changes with this module, the version of Unicode, and the numbering plans.
    """
    parts = [_RULES, unicodedata.unidata_version]
    if country:
        import phonenumbers  # noqa: PLC0415 - only tenants with a country need it

        parts.append(phonenumbers.__version__)
    return zlib.crc32(" ".join(parts).encode())


def _without_separators(text: str) -> str:
    text = text.translate(_REMOVED)
    if text.isascii():
        return text
    kept = (each for each in text if not each.isspace() and unicodedata.category(each) not in _REMOVED_CATEGORIES)
    # What stood between a letter and its accent may be gone.
    return unicodedata.normalize("NFKC", "".join(kept))


@lru_cache(maxsize=65536)
def _international(number: str, country: str) -> str:
    """Return a number as in E.164 if it is valid, seen from a country; else as it is."""
    import phonenumbers  # noqa: PLC0415 - only tenants with a country need it

    if not _PLAIN(number):
        # Letters stand for digits on some telephones; such texts are compared as they are.
        return number
    for spelling in (number, f"+{number[2:]}") if number.startswith("00") else (number,):
        try:
            parsed = phonenumbers.parse(spelling, country)
        except phonenumbers.NumberParseException:
            continue
        if parsed.extension is None and phonenumbers.is_valid_number(parsed):
            return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    return number


@lru_cache(maxsize=65536)
def _national(number: str) -> tuple[str, ...]:
    """Return further spellings of a number in E.164 whose ends may differ because it is short."""
    import phonenumbers  # noqa: PLC0415 - only tenants with a country need it

    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return ()
    national = str(phonenumbers.national_significant_number(parsed))
    if len(national) >= KEY_LENGTH:
        return ()
    region = phonenumbers.PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_number(parsed) or "", None)
    prefix = (region.national_prefix if region is not None else None) or ""
    return (national, f"{prefix}{national}", number[1:], f"00{number[1:]}")


def search_key(contact: str) -> str:
    """Return what all spellings of a contact have in common; texts that have it are compared by their normal forms.

    A store can compute it with its own means for texts of printable ASCII, so that contacts are found by an index. A
    normal form has the key of the text that it is of.
    """
    if _PLAIN(contact):
        return contact[-KEY_LENGTH:]
    if "@" in contact:
        return contact.strip().lower()
    text = contact.translate(_REMOVED).lower().replace("tel:", "").replace("ext", ";").replace("x", ";")
    return text.partition(";")[0][-KEY_LENGTH:]


def search_keys(contact: str, country: str = "") -> tuple[str, ...]:
    """Return the search keys of every spelling that may have the normal form `contact`."""
    number = without_extension(contact)
    key = search_key(number)
    if not country or not number.startswith("+"):
        return (key,)
    return tuple(sorted({key, *map(search_key, _national(number))}))


def coarse_key(contact: str) -> str:
    """Return what contacts have in common that are the same in any country, and others too."""
    return search_key(normal_contact(contact))[-_COARSE:]


def without_extension(contact: str) -> str:
    """Return the normal form of a number without its extension."""
    return _NORMAL_EXTENSION.sub("", contact) if "x" in contact and "@" not in contact else contact


def covers(entry: str, contact: str) -> bool:
    """Whether a do-not-call entry is for a contact, both in normal form: without an extension it is for all (K40)."""
    return entry == contact or entry == without_extension(contact)


def normal_customer_id(customer_id: str) -> str:
    """Return the form in which customer ids are compared (K42)."""
    return customer_id.strip()


def normal_name(name: str) -> str:
    """Return a name in Unicode normalization form C, in which names are compared (H60)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
