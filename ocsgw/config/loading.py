"""From the text of a configuration file to a checked configuration, or to all that is wrong with it."""

import os
import re
import tomllib
from collections.abc import Callable, Sequence
from typing import Any, Final

from ocsgw.config.alias_rules import check_aliases
from ocsgw.config.constants import FIRST_TIME_ZONE_DBID, TIME_ZONES
from ocsgw.config.field_rules import check_fields
from ocsgw.config.grammar import GRAMMAR
from ocsgw.config.listener_rules import check_listeners, complete_listeners
from ocsgw.config.model import Config, TimeZone
from ocsgw.config.object_rules import check_objects, complete_objects
from ocsgw.config.option_rules import check_options, complete_options
from ocsgw.config.positions import KeyPath
from ocsgw.config.principal_rules import check_principals, complete_principals
from ocsgw.config.problems import ConfigurationError, Problem, Report
from ocsgw.config.reading import UnreadableError, read_file
from ocsgw.config.schema import Place
from ocsgw.config.sections import Section, read_table
from ocsgw.config.toml_errors import in_words
from ocsgw.config.treatment_rules import check_treatments

Check = Callable[[Config, Callable[[KeyPath, str, str], None]], None]
"""Looks at a configuration that the grammar allows, and calls the second argument with the path of a
key (``("listener", 0, "tls", "certificate")``), what is wrong with it, and a hint."""

Rule = Callable[[Section], None]
"""Looks at the tables of a file, some of which may be unsound, and reports problems at their sections."""

_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load(path: str | os.PathLike[str], checks: Sequence[Check] = (), rules: Sequence[Rule] = ()) -> Config:
    """Read a configuration file.

    Raises ConfigurationError with every problem (C3), also if the file cannot be read or is not TOML.
    """
    file = os.fspath(path)
    try:
        contents = read_file(file).data
    except UnreadableError as error:
        message = f"cannot read the file: {error}"
        raise ConfigurationError(
            [Problem(file, 1, "", message, "give the path of a configuration file that ocsgw may read")]
        ) from None
    try:
        text = contents.decode()
    except UnicodeDecodeError as error:
        line = contents.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            [Problem(file, line, "", "the file is not UTF-8", "save it in the encoding UTF-8")]
        ) from None
    return parse(text, path, checks, rules)


def parse(text: str, path: str | os.PathLike[str], checks: Sequence[Check] = (), rules: Sequence[Rule] = ()) -> Config:
    """Read a configuration from a text, as if it stood in the file ``path``, which need not exist.

    ``rules`` judge what is sound, as the rules of this room do, so that one run reports everything. ``checks`` run
    when nothing has been found; what they report counts like any other problem.
    Raises ConfigurationError with every problem (C3).
    """
    file = os.fspath(path)
    data = _read_toml(text, file)
    report = Report(file, text, data)
    try:
        absolute = os.path.abspath(file)
    except OSError:
        # The working directory is gone; what is relative to it has no place.
        message, hint = "the working directory does not exist any more", "change into another directory"
        raise ConfigurationError([Problem(file, 1, "", message, hint)]) from None
    document = read_table(data, GRAMMAR, Place(report, (), os.path.dirname(absolute)))
    _apply_rules(document)
    for rule in rules:
        rule(document)
    report.raise_problems()
    config = _make_config(document, absolute)
    for check in checks:
        check(config, report.problem)
    report.raise_problems()
    return config


def _read_toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        message, hint, line = "arrays or tables are nested too deeply", "nest no table deeper than 3", 1
    except ValueError as error:  # of tomllib, or of a number with thousands of digits
        position = _POSITION.search(str(error))
        message, hint = in_words(_POSITION.sub("", str(error)))
        line = text.rstrip("\n").count("\n") + 1
        if position is None:
            line = 1
        elif position[1] is not None:
            line = int(position[1])
            message += f" (column {position[2]})"
    if text.startswith("\ufeff"):
        message, hint = "the file begins with a byte order mark", "save it as UTF-8 without one"
    raise ConfigurationError([Problem(file, line, "", message, hint)])


def _apply_rules(document: Section) -> None:
    complete_listeners(document)
    complete_objects(document)
    complete_principals(document)
    complete_options(document)
    check_aliases(document)
    check_listeners(document)
    check_principals(document)
    check_objects(document)
    check_fields(document)
    check_treatments(document)
    check_options(document)


def _make_config(document: Section, path: str) -> Config:
    made = {key: _make(value) for key, value in document.values.items()}
    return Config(
        path=path,
        directory=os.path.dirname(path),
        application=made["application"],
        aliases=made["aliases"],
        listeners=made["listener"],
        http=made["http"],
        api_keys=made["api_key"],
        client_certificates=made["client_certificate"],
        store=made["store"],
        ha=made["ha"],
        tenants=made["tenant"],
        time_zones=_with_built_in(made["time_zone"]),
        calling_lists=made["calling_list"],
        campaigns=made["campaign"],
        campaign_groups=made["campaign_group"],
        desktop=made["desktop"],
        do_not_call=made["do_not_call"],
        priority=made["priority"],
        pre_dial_validation=made["pre_dial_validation"],
        notifications=made["notifications"],
        treatment_options=made["treatments"],
        treatments=made["treatment"],
        limits=made["limits"],
        audit=made["audit"],
        log=made["log"],
        files=document.place.report.files,
        warnings=document.place.report.warnings,
    )


def _make(value: Any) -> Any:
    """Make the structs of a section or of all sections of an array; other values stay as they are."""
    if isinstance(value, list):
        return tuple(_make(element) for element in value)
    if not isinstance(value, Section):
        return value
    attributes = {}
    for key, part in value.values.items():
        # Arrays of tables are written in the singular, [[calling_list.field]], and had in the plural.
        attributes[f"{key}s" if isinstance(part, list) else key] = _make(part)
    return value.table.makes(**attributes)


def _with_built_in(configured: tuple[TimeZone, ...]) -> tuple[TimeZone, ...]:
    zones = {
        name.casefold(): TimeZone(dbid=dbid, name=name, zone=zone)
        for dbid, (name, zone) in enumerate(TIME_ZONES, FIRST_TIME_ZONE_DBID)
    }
    zones |= {zone.name.casefold(): zone for zone in configured}
    return tuple(zones.values())
