"""Forms in which texts are compared, as expressions of PostgreSQL (constants.md section 6.2).

Built-in functions only, and the collation "C": with a function of ours in an index, another program could not insert
into the table (K16), and an index must not depend on the locale of the machine.
"""

from ocsgw.contact.normal_form import KEY_LENGTH, SEPARATORS

# What people and spreadsheets put into numbers beyond ASCII most of all: no-break spaces and dashes.
_IGNORED_BEYOND_ASCII = "\u00a0\u2011\u2013"
_WHITE_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
# Longer texts do not fit into an index; whoever has to be sure compares the whole.
MOST_INDEXED = 255


def quoted(name: str) -> str:
    """Return one name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a literal."""
    return "'" + text.replace("'", "''") + "'"


def indexed(expression: str) -> str:
    """Return as much of a text as an index takes."""
    return f"left({expression}, {MOST_INDEXED})"


def given(column: str) -> str:
    """Return the condition for a value that is not NULL, as conditions of indexes ask it.

    PostgreSQL 17 leaves IS NOT NULL out of a statement for a column that is declared NOT NULL, and then no longer sees
    that an index with this condition has the row: it would read the whole table.
    """
    return f"num_nulls({column}) = 0"


class Forms:
    """The expressions for one database: in one that is not UTF-8 no character beyond ASCII may stand in a statement."""

    def __init__(self, *, is_unicode: bool) -> None:
        self._ignored = _IGNORED_BEYOND_ASCII if is_unicode else ""
        self._white_space = "".join(each for each in _WHITE_SPACE if is_unicode or each.isascii())

    def trimmed(self, column: str) -> str:
        """Return the expression for the form in which customer ids are compared (K42)."""
        return f"btrim({column}::text, {literal(self._white_space)})"

    def search_key_of(self, column: str) -> str:
        """Return the expression for the search key of a contact (K40), as far as SQL can compute it."""
        text = f'({column}::text COLLATE "C")'
        number = f"translate(lower({text}), {literal(self._ignored + SEPARATORS)}, '')"
        number = f"replace(replace(replace({number}, 'tel:', ''), 'ext', ';'), 'x', ';')"
        return indexed(
            f"CASE WHEN {text} !~ '[^0-9+]' THEN right({text}, {KEY_LENGTH})"
            f" WHEN strpos({text}, '@') > 0 THEN lower({self.trimmed(text)})"
            f" ELSE right(split_part({number}, ';', 1), {KEY_LENGTH}) END"
        )

    def beyond_ascii(self, column: str) -> str:
        """Return the condition for a text whose search key has to be found in Python: not printable ASCII."""
        text = f'({column}::text COLLATE "C")'
        return f"({text} ~ '[^ -~\\t{self._ignored}]' OR (strpos({text}, '@') > 0 AND {text} ~ '[^ -~\\t]'))"
