"""Every duration, size and count has an upper bound; what is above it is refused in words."""

from collections.abc import Iterator

from ocsgw.config.schema import REQUIRED, InvalidValueError, Key, Place
from ocsgw.config.values import Range
from tests.config.support import ConfigTestCase, tables
from tests.config.test_manual import documented

NO_PLACE: Place = None  # type: ignore[assignment]  # these readers need none
MEASURED = ("integer", "duration", "size")


def bounded() -> Iterator[tuple[str, Key, Range]]:
    """Yield each key of the grammar that takes a number of a range, with its table."""
    for path, table in tables():
        for name, key in table.keys.items():
            if isinstance(key, Key) and isinstance(key.read, Range):
                yield f"{'.'.join(path)} {name}", key, key.read


class BoundTests(ConfigTestCase):
    """Table-driven over the whole grammar."""

    def test_every_number_has_a_bound(self) -> None:
        """Each key that the manual page calls an integer, a duration or a size has a range of numbers."""
        with_range = {name for name, _, _ in bounded()}
        for section, keys in documented().items():
            for name, (kind, _) in keys.items():
                if kind.split()[0] in MEASURED:
                    self.assertIn(f"{section.strip('[]')} {name}", with_range)

    def test_documented(self) -> None:
        """The manual page has the range of each number; that of a DBID it explains once."""
        sections = documented()
        for name, _, found in bounded():
            section, key = name.replace("application.tls", "listener.tls").split()
            kind, _ = next(sections[header] for header in (f"[{section}]", f"[[{section}]]") if header in sections)[key]
            if kind != "DBID":
                self.assertTrue(kind.endswith(f" from {found.lowest} to {found.highest}"), f"{name}: {kind}")

    def test_ends(self) -> None:
        """Both ends of each range can be used, in the form in which messages show them; what is beyond is refused."""
        for name, _, found in bounded():
            for end, written in ((found.low, found.lowest), (found.high, found.highest)):
                self.assertEqual(found(int(written) if written.isdigit() else written, NO_PLACE), end, name)
            for beyond in (int(found.high) + 1, int(found.high) * 1000 + 1, int(found.low) - 1, 10**400, -1):
                error: InvalidValueError = self.assertRaises(InvalidValueError, found, beyond, NO_PLACE)
                for _, message, hint in error.issues:
                    self.assertTrue(message and hint)

    def test_text(self) -> None:
        """The refusal shows the range as it may be written."""
        self.assert_refused("[limits]", "write_timeout", '"30d"', 'must be from 1ms to 1d, not "30d"')
        self.assert_refused("[limits]", "body", '"2GiB"', 'must be from 1B to 1GiB, not "2GiB"')
        self.assert_refused("[limits]", "connections", "1000001", "must be from 1 to 1000000, not 1000001")

    def test_defaults(self) -> None:
        """Each default is within the range."""
        for name, key, found in bounded():
            if key.default is not REQUIRED and key.default is not None:
                self.assertTrue(found.low <= found(key.default, NO_PLACE) <= found.high, name)
