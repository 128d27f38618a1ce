"""docs/tutorial.md: each command as printed, and what it says comes of it."""

import re
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import ROOT, make_server

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
# A block of commands, and the block behind it with what they print, if there is one.
STEP = re.compile(r"^```sh\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def pattern_of(printed: str) -> re.Pattern[str]:
    """Return an expression for what a block shows; `...` stands for anything."""
    return re.compile(".*?".join(map(re.escape, printed.strip().split("..."))), re.DOTALL)


class TutorialTests(SynchronousTestCase):
    """A new user's first ten minutes."""

    def test_every_command(self) -> None:
        """Every block of commands works, in order, and prints what the page shows."""
        server = make_server(self).start()
        steps = STEP.findall(PAGE)
        self.assertEqual(steps[0][0], "make run\n")
        self.assertGreater(len(steps), 8)
        for commands, printed in steps[1:]:
            script = commands.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{server.port}")
            script = script.replace("ocsctl ", f"{sys.executable} -m ocsgw.ctl -c {server.config} ")
            # A curl does not end the line that it prints.
            script = re.sub(r"^(curl -s -X.*)$", r"\1; echo", script, flags=re.MULTILINE)
            done = subprocess.run(
                ["/bin/sh", "-ec", script],
                cwd=server.folder,
                env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}{done.stderr}")
            # Notes go to standard error, results to standard output; a terminal shows both.
            shown = done.stdout + done.stderr
            both = (done.stderr + done.stdout, shown)
            self.assertTrue(any(pattern_of(printed).search(text) for text in both), f"{commands}\n{shown}")

    def test_links(self) -> None:
        """The pages that it names are there."""
        for name in re.findall(r"\]\((\w+\.md)\)", PAGE):
            self.assertTrue((ROOT / "docs" / name).is_file(), name)
        self.assertTrue((ROOT / "docs" / "examples" / "agent" / "index.html").is_file())
