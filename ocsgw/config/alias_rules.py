"""Rules about `[aliases]`: a spelling means one thing (section 9 of the HTTP surface, H50)."""

from collections.abc import Container, Mapping
from typing import Final

from ocsgw.config.problems import quoted
from ocsgw.config.sections import Section
from ocsgw.protocol.requests import HTTP_REQUESTS, OWN_PATHS, RESOURCE_TYPES


def check_aliases(document: Section) -> None:
    """Report spellings that are standard ones, or given twice."""
    for aliases in document.tables("aliases"):
        _check(aliases, {spelling: row.name for spelling, row in HTTP_REQUESTS.items()})
        _check(aliases, RESOURCE_TYPES, OWN_PATHS)


def _check(aliases: Section, taken: Mapping[str, str], own: Container[str] = ()) -> None:
    """Check the spellings of the names in `taken`, which has the standard ones in lower case.

    Those in `own` mean something else.
    """
    earlier: dict[str, str] = {}
    for name in dict.fromkeys(taken.values()):
        for index, written in enumerate(aliases[name] if aliases.sound(name) else ()):
            spelling = _folded(written)
            if spelling in taken:
                problem = f"{quoted(written)} is a standard spelling of {taken[spelling]}"
                aliases.problem((name, index), problem, _REMOVE if taken[spelling] == name else _CHOOSE)
            elif spelling in own:
                aliases.problem((name, index), f"{quoted(written)} is a path of ocsgw itself", _CHOOSE)
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
