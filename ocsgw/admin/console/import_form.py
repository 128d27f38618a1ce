"""The form that says how a file is read: what was recognized, what each column is, what happens to rows."""

import re
from collections.abc import Sequence
from typing import Any, cast

from twisted.web.server import Request

from ocsgw.admin.console.layout import Visitor, note, section, token_field
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.console.pages import field
from ocsgw.admin.imports.kept_files import KeptFile, Looked
from ocsgw.files.options import ImportOptions
from ocsgw.operations.header import LEFT_OUT

_ENCODINGS = (
    "utf-8",
    "windows-1252",
    "iso-8859-15",
    "utf-16-le",
    "utf-16-be",
    "windows-1250",
    "windows-1251",
    "shift_jis",
)
_DELIMITERS = (
    ("", "recognized"),
    ("comma", "comma"),
    ("semicolon", "semicolon"),
    ("tab", "tab"),
    ("pipe", "vertical bar"),
)
_DECIMALS = (("", "as usual with the delimiter"), ("comma", "comma"), ("point", "point"))
_DUPLICATES = (
    ("", "ask if there are many"),
    ("add", "add further records"),
    ("skip", "leave them out"),
    ("update", "write what the rows have over the records"),
    ("replace", "replace the records"),
)
_OF_ENTRIES = tuple((value, words.replace("records", "entries")) for value, words in _DUPLICATES if value)
_SWITCHES = (
    ("partial", "Refuse only rows that are not in the encoding"),
    ("day_first", "Dates with slashes are DD/MM/YYYY"),
    ("strict_phones", "Refuse values that cannot be a phone"),
    ("raw", "Take cells exactly as they are, apostrophes too"),
)
_WORDS_OF_DUPLICATES = "Contacts that are there already"
_LONGEST_CELL = 40
# What texts of `ocsctl` call an option, and what it is called here.
_HERE: tuple[tuple[str, str], ...] = (
    (r"use --map (\S+)=(\w+) with the name that the column has", r"write \2 into the field of the column that has it"),
    (
        r"(remove it, )?use --map to say which one it is, or --ignore-unknown",
        "write into its field which one it is, or leave it empty",
    ),
    (r"Say what to do with them with --duplicates", f'Say below what to do with "{_WORDS_OF_DUPLICATES}"'),
    (r"--encoding\b", '"Encoding"'),
    (r"--delimiter\b", '"Delimiter"'),
    (r"--partial\b", f'"{_SWITCHES[0][1]}"'),
)


def in_words_of_the_form(text: str) -> str:
    """Return a text about a file with the fields of the form in place of the options of `ocsctl`."""
    for pattern, words in _HERE:
        text = re.sub(pattern, words, text)
    return text


def options_of(request: Request, looked: Looked) -> ImportOptions:
    """Return what a form says about a file; its columns are those that `looked` has."""
    pairs = []
    for at, (name, likely) in enumerate(zip(looked.named, looked.likely, strict=False)):
        wanted = field(request, f"column-{at}")
        if wanted != (likely or "") or likely is None:
            pairs.append(f"{name}={wanted or LEFT_OUT}")
    said: dict[str, Any] = {name: field(request, name) == "yes" for name, _ in _SWITCHES}
    return ImportOptions(
        encoding=field(request, "encoding") or None,
        delimiter=_known(request, "delimiter", _DELIMITERS),
        decimal=cast("Any", _known(request, "decimal", _DECIMALS)),
        duplicates=cast("Any", _known(request, "duplicates", _DUPLICATES)),
        map=tuple(pairs),
        **said,
    )


def _known(request: Request, name: str, choices: tuple[tuple[str, str], ...]) -> str | None:
    """Return what was chosen, None for nothing and for what nobody offers."""
    wanted = field(request, name)
    return wanted if wanted and wanted in dict(choices) else None


def reading_form(kept: KeptFile, looked: Looked, names: Sequence[str], visitor: Visitor) -> Markup:
    """Return the form; `names` are those that a column may have."""
    options = kept.options
    problem = note(in_words_of_the_form(looked.problem), "bad") if looked.problem else None
    going_on = None
    if looked.rows:
        going_on = note(f"{looked.rows} rows of this file are stored already; the import goes on behind them.")
    again = None
    if looked.imported is not None:
        going_on = note(f"This file has been imported before, as import {looked.imported}.", "bad")
        again = _switch("again", "Import it once more", is_on=False)
    of_entries = kept.calling_list is None
    duplicates = options.duplicates or ("skip" if of_entries else "")
    choices = el(
        "div",
        el("label", "Encoding", _encoding(options.encoding)),
        _choice("delimiter", "Delimiter", _DELIMITERS, options.delimiter or ""),
        _choice("decimal", "Decimal separator", _DECIMALS, options.decimal or ""),
        _choice("duplicates", _WORDS_OF_DUPLICATES, _OF_ENTRIES if of_entries else _DUPLICATES, duplicates),
        class_="stack",
    )
    switches = el(
        "div",
        *(_switch(name, words, is_on=bool(getattr(options, name))) for name, words in _SWITCHES),
        again,
        class_="stack",
    )
    buttons = [
        el("button", label, name="do", value=order)
        for order, label in (("look", "Look again"), ("try", "Try it, change nothing"), ("import", "Import"))
        if order == "look" or looked.named
    ]
    reading = el(
        "form",
        token_field(visitor),
        el("input", type="hidden", name="file", value=kept.key),
        choices,
        _columns(looked, names) if looked.named else None,
        switches,
        el("div", *buttons, el("button", "Discard", name="do", value="discard", formnovalidate=True), class_="stack"),
        method="post",
        action="/import",
    )
    words = el("p", f"Recognized: {looked.words}") if looked.words else None
    return section("reading", "How the file is read", problem, going_on, words, reading)


def _columns(looked: Looked, names: Sequence[str]) -> Markup:
    known = el("datalist", *(el("option", value=name) for name in names), id="columns")
    rows: list[tuple[Child, ...]] = []
    for at, name in enumerate(looked.named):
        chosen = looked.chosen[at].strip()
        is_mapped = chosen != name.strip()
        value = (chosen if chosen != LEFT_OUT else "") if is_mapped else looked.likely[at] or ""
        read_as = el(
            "input",
            name=f"column-{at}",
            value=value,
            list="columns",
            placeholder="not read",
            autocomplete="off",
            aria_label=f"Column {name} is read as",
        )
        cells = [_shortened(cells[at]) for cells in looked.sample if at < len(cells)]
        rows.append((name, read_as, *cells, *[""] * (len(looked.sample) - len(cells))))
    head = ("Column of the file", "is read as", *(f"Row {at}" for at in range(2, 2 + len(looked.sample))))
    return join(known, table("Columns", head, rows))


def _shortened(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_CELL else f"{cell[: _LONGEST_CELL - 3]}..."


def _encoding(chosen: str | None) -> Markup:
    known = el("datalist", *(el("option", value=name) for name in _ENCODINGS), id="encodings")
    written = el("input", name="encoding", value=chosen or "", list="encodings", placeholder="recognized")
    return join(written, known)


def _choice(name: str, label: str, choices: tuple[tuple[str, str], ...], chosen: str) -> Markup:
    options = [el("option", words, value=value, selected=value == chosen) for value, words in choices]
    return el("label", label, el("select", *options, name=name))


def _switch(name: str, words: str, *, is_on: bool) -> Markup:
    box = el("input", type="checkbox", name=name, value="yes", checked=is_on)
    return el("label", box, f" {words}", class_="line")
