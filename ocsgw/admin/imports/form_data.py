"""A form with a file (multipart/form-data, RFC 7578) while it comes in: fields in memory, the file on the disk."""

import logging
from collections.abc import Callable
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

# What clients send is no matter for the standard error of OCS.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

# Bytes; all fields together, with their names.
_LARGEST_FIELDS = 64 << 10


class Sink(Protocol):
    """Where the contents of a file go."""

    def write(self, piece: bytes, /) -> object:
        """Take a piece."""

    def close(self) -> None:
        """There is nothing more to come."""


class FormData:
    """Takes the body of a request piece by piece, in constant memory.

    `open_file` is called with the name of the file when its part begins, and returns where it goes; None throws it
    away. Afterwards `fields` has the other parts, and `problem` says why the form cannot be used, if it cannot.
    """

    def __init__(self, content_type: bytes, open_file: Callable[[str], Sink | None]) -> None:
        self.fields: dict[bytes, list[bytes]] = {}
        self.problem: str | None = None
        self._open_file = open_file
        self._file: Sink | None = None
        self._size = 0
        self._headers: dict[bytes, bytes] = {}
        self._header = self._value = b""
        self._field: bytes | None = None
        self._data: list[bytes] = []
        self._has_ended = False
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        self._parser = self._parser_of(boundary)

    def take(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self.problem is not None or self._parser is None:
            return
        try:
            self._parser.write(data)
        except FormParserError as error:
            self.refuse(f"the form is not valid multipart/form-data: {error}")
        except OSError as error:
            self.refuse(f"the file cannot be kept: {error.strerror or error}")

    def end(self) -> None:
        """The body has come to its end."""
        if not self._has_ended:
            self.refuse("the form is not complete")

    def close(self) -> None:
        """Close the file, wherever the body has come to."""
        if self._file is not None:
            self._file.close()

    def refuse(self, problem: str) -> None:
        """Take no more; the first problem stays."""
        self.problem = self.problem or problem

    def _parser_of(self, boundary: bytes) -> MultipartParser | None:
        try:
            return MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            self.refuse(f"the form is not valid multipart/form-data: {error}")
            return None

    def _begin_part(self) -> None:
        self._headers = {}
        self._header = self._value = b""
        self._field, self._file = None, None
        self._data = []

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition", b""))[1]
        if b"filename" in options:
            self._file = self._open_file(options[b"filename"].decode("utf-8", "replace"))
        else:
            self._field = options.get(b"name", b"")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            if self._file is not None:
                self._file.write(data[start:end])
            return
        self._size += end - start
        if self._size > _LARGEST_FIELDS:
            self.refuse("the fields of the form are too large")
        else:
            self._data.append(data[start:end])

    def _end_part(self) -> None:
        self.close()
        if self._field is not None:
            self._size += len(self._field)
            if self._size <= _LARGEST_FIELDS:
                self.fields.setdefault(self._field, []).append(b"".join(self._data))

    def _end(self) -> None:
        self._has_ended = True
