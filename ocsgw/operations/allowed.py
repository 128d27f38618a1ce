"""What is allowed in the columns of a file, in words, for whoever has to correct one."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ocsgw.contact.fields import FieldType
from ocsgw.protocol.enumerations import CONTACT_TYPES, record_status_name, record_type_name


def _names(numbers: range, name_of: Callable[[int], str]) -> str:
    return ", ".join(name_of(number) for number in numbers)


ALLOWED: Mapping[str, str] = MappingProxyType(
    {
        "GSW_PHONE": "allowed: 1 to 128 characters",
        "GSW_PHONE_TYPE": f"allowed: 0 to {len(CONTACT_TYPES) - 1}, or a name such as HomePhone, Mobile, E-Mail",
        "GSW_RECORD_TYPE": f"allowed: 1 to 7, or {_names(range(1, 8), record_type_name)}",
        "GSW_RECORD_STATUS": "allowed: 1, 3 to 9, or " + _names(range(1, 10), record_status_name),
        "GSW_CALL_RESULT": "allowed: 0 to 53, or a name such as Answer, Busy, No Answer",
        "GSW_ATTEMPTS": "allowed: 0 to 32767",
        "GSW_FROM": "allowed: 0 to 86400 seconds, or HH:MM",
        "GSW_UNTIL": "allowed: 0 to 86400 seconds, or HH:MM",
        "GSW_AGENT_ID": "allowed: 1 to 32 characters",
        "GSW_CHAIN_ID": "allowed: 1 to 2147483647",
    }
)
"""By the keys of AddRecord (http.md section 10.1)."""


FORMAT_AS_TEXT = "format the column as text and export again"


def allowed_in_field(kind: FieldType, length: int | None) -> str:
    """Return what a custom field takes (http.md H120)."""
    return {
        "int": "allowed: whole numbers from -2147483648 to 2147483647",
        "float": "allowed: numbers such as 1.5",
        "datetime": "allowed: YYYY-MM-DD HH:MM:SS",
    }.get(kind, f"allowed: at most {length} characters")
