"""docs/tutorial.md: each command as printed, and what it says comes of it."""

import os
import re
import shlex
import subprocess
import sys
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import ROOT, make_server

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
# What has to be written, or goes on and on.
INDENTED = re.compile(r"^    (\S.*)$", re.MULTILINE)
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

    def test_agent_page(self) -> None:
        """What stands in the page beside blocks of commands: the key, the reload, the server of the page, the URL."""
        key, serve = INDENTED.findall(PAGE)
        server = make_server(self).start()
        command = shlex.split(serve.replace(" 8000 ", " 0 "))
        self.assertEqual(command[:3], ["python3", "-m", "http.server"])
        pages = subprocess.Popen(
            [sys.executable, "-u", *command[1:]], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.addCleanup(pages.wait)
        self.addCleanup(pages.terminate)
        assert pages.stdout is not None
        self.addCleanup(pages.stdout.close)
        port = re.findall(r"port (\d+)", pages.stdout.readline())[0]
        server.configure(listener=key.replace("8000", port))
        (reload,) = re.findall(r"then `ocsctl (\w+)`", PAGE)
        ocsctl = [sys.executable, "-m", "ocsgw.ctl", "-c", str(server.config), reload]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(ocsctl, cwd=server.folder, env=environment, capture_output=True, timeout=60, check=True)
        (opened,) = re.findall(r"Open `(\S+)`", PAGE)
        with urllib.request.urlopen(opened.replace("8000", port), timeout=30) as page:
            self.assertIn(b"agent.js", page.read())
        origin = f"http://127.0.0.1:{port}"
        target = "/campaigngroups/102?req=CampaignStatusRequest"
        answer = server.post(target, headers={"Origin": origin})
        self.assertEqual((answer.status, answer.headers["Access-Control-Allow-Origin"]), (200, origin))
        (events,) = re.findall(r"`curl -sN \"http://127\.0\.0\.1:8080(\S+)\"`", PAGE)
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{events}", timeout=30) as stream:
            self.assertTrue(stream.headers["Content-Type"].startswith("text/event-stream"))

    def test_nothing_is_left_out(self) -> None:
        """Each block of the page is one that these tests run, or what one prints."""
        fences = re.findall(r"^```(\w*)$", PAGE, re.MULTILINE)[::2]
        steps = STEP.findall(PAGE)
        self.assertEqual(sorted(fences), sorted(["sh"] * len(steps) + [""] * sum(bool(shown) for _, shown in steps)))

    def test_links(self) -> None:
        """The pages that it names are there."""
        for name in re.findall(r"\]\((\w+\.md)\)", PAGE):
            self.assertTrue((ROOT / "docs" / name).is_file(), name)
        self.assertTrue((ROOT / "docs" / "examples" / "agent" / "index.html").is_file())
