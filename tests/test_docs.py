"""The pages of docs/ become HTML and manual pages without a warning, and man/ has what was made of them last."""

import atexit
import functools
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

DOCS = Path(__file__).parents[1] / "docs"
MAN = DOCS.parent / "man"


@functools.cache
def made() -> Path:
    """Return a folder for what is made; the pages are read once for all kinds."""
    folder = tempfile.mkdtemp(prefix="ocsgw-docs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def build(builder: str) -> tuple[int, str]:
    """Let Sphinx make all pages of a kind in a folder of its name; return its status and what it complains about."""
    folder = made()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", builder),
            *("-d", f"{folder}/doctrees", str(DOCS), f"{folder}/{builder}"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stderr


def words(page: str) -> list[str]:
    """Return the words of a manual page; how they are marked up depends on the version of the tool."""
    body = page.partition(".SH NAME")[2]
    texts = [re.sub(r"^\.(SH|SS|B|I) ", "", line) for line in body.splitlines()]
    shown = " ".join(line for line in texts if not line.startswith((".", "'")))
    return re.sub(r"\\f.|\\&|\\", "", shown).split()


class HtmlTests(SynchronousTestCase):
    """`make html`."""

    def test_pages(self) -> None:
        """Each page is there, and the index leads to it."""
        self.assertEqual(build("html"), (0, ""))
        html = made() / "html"
        index = (html / "index.html").read_text(encoding="utf-8")
        for page in DOCS.glob("*.md"):
            self.assertTrue((html / f"{page.stem}.html").is_file(), page.name)
            self.assertTrue(page.stem == "index" or f'href="{page.stem}.html"' in index, page.name)


class ManualPageTests(SynchronousTestCase):
    """`make man`."""

    def test_pages(self) -> None:
        """Pages and HTML have one source: what is shipped in man/ is what is made of docs/man; `make man` mends it."""
        self.assertEqual(build("man"), (0, ""))
        pages = {page.name: page for page in (made() / "man").iterdir() if page.is_file()}
        self.assertEqual(sorted(pages), sorted(page.name for page in MAN.iterdir()))
        for name, page in pages.items():
            self.assertEqual(words(page.read_text("utf-8")), words((MAN / name).read_text("utf-8")), name)
