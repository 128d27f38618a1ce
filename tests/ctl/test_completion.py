"""`ocsctl completion`."""

import subprocess

from tests.ctl.support import CommandTestCase


class CompletionTests(CommandTestCase):
    """What shells offer."""

    def offered(self, *words: str) -> list[str]:
        """Return what bash offers behind words, the last of which is begun."""
        script = self.run_command("completion", "bash").output
        line = f"COMP_WORDS=({' '.join(map(repr, ('ocsctl', *words)))}); COMP_CWORD={len(words)}; _ocsctl"
        done = subprocess.run(
            ["bash", "--norc", "-c", f"{script}\n{line}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""],
            capture_output=True,
            text=True,
            timeout=30,
        )
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_bash(self) -> None:
        """Commands, their orders and their options are offered."""
        self.assertEqual(self.offered("st"), ["status", "store"])
        self.assertEqual(self.offered("store", "copy", "--re"), ["--restart"])
        self.assertEqual(self.offered("list", "im"), ["import", "imports"])
        self.assertEqual(self.offered("--config", "x", "dnc", "r"), ["remove"])
        self.assertEqual(self.offered("list", "import", "L", "--du"), ["--duplicates"])
        self.assertIn("backup", self.offered(""))
        self.assertEqual(self.offered("list", "import", "L", "f"), [])

    def test_other_shells(self) -> None:
        """zsh takes the same through its own bridge, fish gets a line for each command and option."""
        self.assertIn("bashcompinit", self.run_command("completion", "zsh").output.splitlines()[0])
        fish = self.run_command("completion", "fish").output
        self.assertIn("complete -c ocsctl -f -n 'not __fish_seen_subcommand_from status ", fish)
        self.assertIn(
            "'__fish_seen_subcommand_from list; and __fish_seen_subcommand_from import' -l duplicates -d", fish
        )
        self.assertEqual(self.run_command("completion", "csh").status, 64)
