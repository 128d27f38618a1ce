"""How contacts, customer ids and names are compared (constants.md section 6.2, http.md H60)."""

import unicodedata

# Removed from phone numbers, wherever they stand.
SEPARATORS = " \t-.()/"
_REMOVED = str.maketrans("", "", SEPARATORS)


def normal_contact(contact: str) -> str:
    """Return the normal form of a contact: two contacts are the same if their normal forms are equal (K40)."""
    text = normal_name(contact).strip()
    return text.lower() if "@" in text else text.translate(_REMOVED)


def normal_customer_id(customer_id: str) -> str:
    """Return the form in which customer ids are compared (K42)."""
    return customer_id.strip()


def normal_name(name: str) -> str:
    """Return a name in Unicode normalization form C, in which names are compared (H60)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
