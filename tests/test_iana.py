"""Tests of ocsgw.iana: names of one time zone."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw import iana

_PARIS, _OTHER = b"TZif2 data of a zone", b"TZif2 data of another"


class NameTests(SynchronousTestCase):
    """H175."""

    def database(self, **files: bytes) -> str:
        """Make a database of zones; two underscores stand for a slash."""
        folder = Path(self.mktemp())
        for name, data in files.items():
            place = folder / name.replace("__", "/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        return str(folder)

    def names(self, key: str, *folders: str) -> frozenset[str]:
        self.patch(iana, "_databases", lambda: folders)
        return iana.equal_names(key)

    def test_old_names(self) -> None:
        """H175: names with the same data are one zone; other files of a database are no zones."""
        folder = self.database(
            Europe__Paris=_PARIS, Old__Name=_PARIS, Europe__Rome=_OTHER, posix__Europe__Paris=_PARIS,
            localtime=_PARIS, README=b"Europe/Paris",
        )  # fmt: skip
        self.assertEqual(self.names("Europe/Paris", folder), {"Europe/Paris", "Old/Name"})
        self.assertEqual(self.names("Europe/Rome", folder), {"Europe/Rome"})
        self.assertEqual(self.names("Nowhere", folder, "/does/not/exist"), {"Nowhere"})

    def test_two_databases(self) -> None:
        """H175: any installed database may know an old name."""
        system = self.database(Europe__Paris=_PARIS)
        package = self.database(Europe__Paris=_OTHER, Old__Name=_OTHER)
        self.assertEqual(self.names("Europe/Paris", system, package), {"Europe/Paris", "Old/Name"})

    def test_new_data(self) -> None:
        """A database that was replaced is read again."""
        folder = self.database(A=_PARIS, B=_OTHER)
        self.assertEqual(self.names("A", folder), {"A"})
        Path(folder, "C").write_bytes(_PARIS)
        os.utime(folder, (1, 1))
        self.assertEqual(self.names("A", folder), {"A", "C"})

    def test_installed(self) -> None:
        """H175: what is installed knows the old name of a zone that the product has without configuration."""
        self.assertIn("Asia/Calcutta", iana.equal_names("Asia/Kolkata"))
