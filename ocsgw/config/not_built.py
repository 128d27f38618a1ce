"""What the file can say and this version does not do: refused by name, never passed over.

A promise that is not kept is dangerous: numbers would be handed out unvalidated, reports would never be sent. Whoever
builds one of these deletes its line.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ocsgw.config.sections import Section


class NotBuilt(NamedTuple):
    """A key whose value, if it stands in the file and `when` says so, asks for what this version does not do."""

    table: str
    key: str
    when: Callable[[Any], bool]
    message: str
    hint: str


def _always(_value: Any) -> bool:
    return True


def _some(value: Any) -> bool:
    return bool(value)


NOT_BUILT: Final = (
    NotBuilt(
        "notifications",
        "history_wait_condition_threshold",
        _some,
        "waiting for the receiver of call report records is not available in this version",
        "set it to 0, or leave it out; ocsgw_notifications_waiting shows how many wait",
    ),
)


def refuse_not_built(document: Section) -> None:
    """Report each key of the file that asks for what this version does not do."""
    for each in NOT_BUILT:
        for section in document.tables(each.table):
            if each.key in section.given and section.sound(each.key) and each.when(section[each.key]):
                section.problem(each.key, each.message, each.hint)
