"""Syntax errors of TOML in the words of whoever wrote the file.

The standard library's reader speaks of namespaces and statements; here is what each of its messages means in a
configuration file, and what to do. A message that is not known stands as it is.
"""

import re
from typing import Final

_NAMES: Final = "names have letters A to Z, digits, hyphens and underscores"
_CLOSE: Final = "close it with the quotation marks that it begins with"
_ADD: Final = f"add what closes it; {_NAMES}"
_ONCE: Final = "keep all its keys in one place; a table of which there are several is written [[...]]"
_OWN_LINE: Final = 'write each key on a line of its own, and "#" before a comment'
_ESCAPE: Final = "an escape in a text is not the number of a character", r"write \uXXXX with four hexadecimal digits"

# Message of the reader, as an expression -> what is wrong, what to do; \1 is what the expression has caught.
_WORDS: Final = (
    (
        "Invalid value",
        "the value is missing or is not written as TOML has it",
        'texts stand in quotation marks, numbers, true and false do not: name = "OCS", port = 8080',
    ),
    (
        "Invalid statement",
        "the line is not a key with a value, a table or a comment",
        'write key = value, [table], or "#" before a comment',
    ),
    ("Invalid initial character for a key part", "a name is missing here, or needs quotation marks", _NAMES),
    ("Expected '=' after a key.*", "the equals sign after the key is missing", f"write key = value; {_NAMES}"),
    ("Expected newline or end of document.*", "something follows behind the value or the table", _OWN_LINE),
    (r"Expected '\]' at .*", "the bracket that closes [table] is missing", _ADD),
    (r"Expected '\]\]' at .*", "the brackets that close [[table]] are missing", _ADD),
    (
        "Unclosed array",
        "the bracket that closes an array is missing, or a comma between two of its values",
        'write it as ["a", "b"]',
    ),
    (
        "Unclosed inline table",
        "the brace that closes a table is missing, or a comma between two of its keys",
        'write it on one line, as { name = "a", length = 5 }',
    ),
    ("Unterminated string", "a text is not closed", _CLOSE),
    ("Expected .*", "a text is not closed", _CLOSE),
    (r"Illegal character '\\n'", "a text is not closed at the end of its line", _CLOSE),
    ("(?:Illegal|Found invalid) character (.*)", r"the character \1 is not allowed here", "remove it"),
    (
        r"Unescaped '\\' in a string",
        "a backslash in a text begins an escape that does not exist",
        r"write \\ for one backslash, or put the text in single quotation marks",
    ),
    ("Invalid hex value", *_ESCAPE),
    ("Escaped character is not a Unicode scalar value", *_ESCAPE),
    ("Invalid date or datetime", "the date is not one of the calendar", "write a date as 2027-01-31"),
    (
        "Cannot overwrite a value",
        "the same name stands above, with a value or as a table of another kind",
        "choose another, or remove one",
    ),
    (r"Cannot declare \((.*?),?\) twice", r"the table \1 is written in two places", _ONCE),
    (r"Cannot .* namespace \((.*?),?\)", r"the table \1 is written in two places", _ONCE),
    ("Duplicate inline table key (.*)", r"the key \1 stands in the table twice", "keep one of the two"),
)


def in_words(message: str) -> tuple[str, str]:
    """Return what is wrong and what to do, for a message of the standard library's reader without its position."""
    for expression, words, hint in _WORDS:
        match = re.fullmatch(expression, message)
        if match is not None:
            return match.expand(words).replace("', '", "."), hint  # the reader shows a.b as 'a', 'b'
    return message, "correct the TOML of this line"
