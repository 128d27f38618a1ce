"""The pages of docs/ become HTML without a warning: every link leads somewhere, every page is in the index."""

import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

DOCS = Path(__file__).parents[1] / "docs"


class HtmlTests(SynchronousTestCase):
    """`make html`."""

    def test_pages(self) -> None:
        """Each page is there, and the index leads to it."""
        with tempfile.TemporaryDirectory(prefix="ocsgw-docs-") as folder:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"),
                    *("-d", f"{folder}/doctrees", str(DOCS), f"{folder}/html"),
                ],
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            index = Path(folder, "html", "index.html").read_text(encoding="utf-8")
            for page in DOCS.glob("*.md"):
                self.assertTrue(Path(folder, "html", f"{page.stem}.html").is_file(), page.name)
                self.assertTrue(page.stem == "index" or f'href="{page.stem}.html"' in index, page.name)
