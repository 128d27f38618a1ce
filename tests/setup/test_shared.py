"""What `pip install` brings besides the package: the lists of pyproject.toml, written by hand, miss nothing."""

import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[2]


class SharedTests(SynchronousTestCase):
    """Data files."""

    def test_nothing_is_missing(self) -> None:
        """Each file under etc and man, and each page of the documentation, has a place; the place has its own name."""
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        places: dict[str, str] = {}
        for place, patterns in settings["tool"]["setuptools"]["data-files"].items():
            for pattern in patterns:
                found = [path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)]
                self.assertNotEqual(found, [], pattern)
                places |= dict.fromkeys(found, place)
        there = [*ROOT.glob("etc/**/*"), *ROOT.glob("man/*"), *ROOT.glob("docs/*.md")]
        wanted = {path.relative_to(ROOT).as_posix() for path in there if path.is_file()}
        # A store that `make run` has made is not a part of the product.
        wanted = {path for path in wanted if not path.startswith("etc/var/")}
        self.assertEqual(wanted - places.keys(), set())
        for file, place in places.items():
            if file.startswith("etc/"):
                self.assertEqual(place, f"share/ocsgw{Path(file).parent.as_posix().removeprefix('etc')}")
