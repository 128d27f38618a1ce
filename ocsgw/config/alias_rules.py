"""Rules about `[aliases]`: a spelling means one thing (section 9 of the HTTP surface, H50)."""

from collections.abc import Iterable, Mapping
from typing import Final

from ocsgw.config.constants import HTTP_REQUESTS, REQUEST_ALIASES, RESOURCE_ALIASES, RESOURCE_TYPES
from ocsgw.config.problems import quoted
from ocsgw.config.sections import Section


def check_aliases(document: Section) -> None:
    """Report spellings that are standard ones, or given twice."""
    for aliases in document.tables("aliases"):
        _check(aliases, HTTP_REQUESTS, REQUEST_ALIASES)
        _check(aliases, RESOURCE_TYPES, RESOURCE_ALIASES)


def _check(aliases: Section, names: Iterable[str], standard: Mapping[str, str]) -> None:
    taken = {_folded(name): name for name in names} | {_folded(alias): name for alias, name in standard.items()}
    earlier: dict[str, str] = {}
    for name in names:
        for index, written in enumerate(aliases[name] if aliases.sound(name) else ()):
            spelling = _folded(written)
            if spelling in taken:
                problem = f"{quoted(written)} is a standard spelling of {taken[spelling]}"
                aliases.problem((name, index), problem, _REMOVE if taken[spelling] == name else _CHOOSE)
            elif spelling in earlier:
                problem = f"{quoted(written)} is an alias of {earlier[spelling]} already"
                aliases.problem((name, index), problem, _REMOVE if earlier[spelling] == name else _CHOOSE)
            else:
                earlier[spelling] = name


_REMOVE: Final = "remove it; upper and lower case are the same"
_CHOOSE: Final = "choose another; upper and lower case are the same"


def _folded(spelling: str) -> str:
    """Return a spelling as spellings are compared: without regard to the case of ASCII letters only."""
    return spelling.lower() if spelling.isascii() else spelling
