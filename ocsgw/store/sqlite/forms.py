"""Forms in which texts are compared, as expressions of SQLite (constants.md section 6.2).

Built-in functions only: with one of ours in an index, another program could not insert into the table (K16).
"""

from ocsgw.contact.normal_form import KEY_LENGTH, SEPARATORS

# The white space that Python's strip() removes.
_WHITE_SPACE = f"char({','.join(str(code) for code in range(0x3001) if chr(code).isspace())})"
_BEYOND_ASCII = "'*[^ -~' || char(9) || ']*'"
_NO_PLAIN_NUMBER = "'*[^0-9+]*'"
# Indexes of contacts and customer ids come in so many parts; 2^21 record ids on end are in the same one. Records that
# are added touch random pages of one part, not of the whole index of a long list, which no cache of a processor holds.
# Who looks for a value asks each part for it.
_PARTS = 8
_PART_BITS = 21
# What people and spreadsheets put into numbers beyond ASCII most of all, and contacts are compared without: no-break
# spaces and dashes. SQL brings contacts with these into their form, so that they are found by an index, which other
# programs keep up to date as they write; the rest is compared in Python. They are few: nesting has a limit in SQLite.
IGNORED_BEYOND_ASCII = "\u00a0\u2011\u2013"
_LAST_DIGITS = 4
# Blanks, dashes and format characters beyond ASCII, which stand for no digit, as part of a set of GLOB.
_NO_DIGITS = (
    "char(9,160,173,12288,65279)"
    " || char(8192) || '-' || char(8213) || char(8232) || '-' || char(8239) || char(8288) || '-' || char(8303)"
)


def quoted(name: str) -> str:
    """Return a name as an identifier; `schema.table` keeps its point (K22)."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def given(column: str) -> str:
    """Return the condition for a value that is not NULL, as conditions of indexes ask it.

    Newer releases of SQLite (3.46 is one) resolve IS NULL and IS NOT NULL in a statement for a column that is declared
    NOT NULL, and then no longer see that an index with such a condition has the row: they would read the whole table.
    """
    return f"typeof({column}) <> 'null'"


def part_of(record_id: str) -> str:
    """Return the expression for the part of an index that has a record; NULL without a record id."""
    return f"({record_id} >> {_PART_BITS}) & {_PARTS - 1}"


def in_any_part(record_id: str) -> str:
    """Return the condition with which an index in parts is searched; true of all records with an id."""
    return f"{part_of(record_id)} IN ({', '.join(map(str, range(_PARTS)))})"


def trimmed(column: str) -> str:
    """Return the expression for the form in which customer ids are compared (K42)."""
    return f"trim({column}, {_WHITE_SPACE})"


def search_key_of(column: str) -> str:
    """Return the expression for the search key of an ASCII contact (K40); plain numbers, most of all, are quick."""
    number = f"lower({column})"
    for character in (*IGNORED_BEYOND_ASCII, *SEPARATORS):
        number = f"replace({number}, char({ord(character)}), '')"
    number = f"replace(replace(replace({number}, 'tel:', ''), 'ext', ';'), 'x', ';') || ';'"
    return (
        f"CASE WHEN {column} NOT GLOB {_NO_PLAIN_NUMBER} THEN substr({column}, -{KEY_LENGTH})"
        f" WHEN instr({column}, '@') > 0 THEN lower({trimmed(column)})"
        f" ELSE substr(substr({number}, 1, instr({number}, ';') - 1), -{KEY_LENGTH}) END"
    )


def beyond_ascii(column: str) -> str:
    """Return the condition for a text whose search key has to be found in Python: not printable ASCII.

    Plain numbers, most of all, are told by the first part.
    """
    known = ",".join(str(ord(character)) for character in IGNORED_BEYOND_ASCII)
    return (
        f"({column} GLOB {_NO_PLAIN_NUMBER} AND ({column} GLOB '*[^ -~' || char(9,{known}) || ']*'"
        f" OR (instr({column}, '@') > 0 AND {column} GLOB {_BEYOND_ASCII})))"
    )


def may_be_of(column: str, key: str) -> str:
    """Return the condition for whether a text beyond ASCII may be a number with this search key.

    Its last digits have to stand in the text in their order, unless other characters there may stand for digits: then
    nothing is said. So only few of many contacts typed with rare blanks have to be brought into their form.
    """
    digits = " || '*' || ".join(f"substr({key}, {at}, 1)" for at in range(-_LAST_DIGITS, 0))
    return (
        f"({key} NOT GLOB '*{'[0-9]' * _LAST_DIGITS}' OR {column} GLOB '*' || {digits} || '*'"
        f" OR {column} GLOB '*[^ -~' || {_NO_DIGITS} || ']*')"
    )
