"""`ocsctl completion`."""

import subprocess

from tests.ctl.support import CommandTestCase

# A shell at a terminal of its own. It waits for the prompt, which the echo of what is written does not contain, and for
# what Tab puts in; ^U empties the line.
_DRIVE_ZSH = r"""
setopt err_exit
zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner "fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; PS1='be''gin:'"
zpty -r inner seen '*begin:*'
zpty -w -n inner $'ocsctl store copy --re\t'
zpty -r inner seen '*--restart*'
zpty -w -n inner $'\x15ocsctl list import L --du\t'
zpty -r inner seen '*--duplicates*'
zpty -d inner
"""


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

    def run_shell(self, *command: str) -> str:
        """Run a shell to its good end; return what it prints."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_zsh(self) -> None:
        """zsh takes the same through its own bridge."""
        script = self.write("completion.zsh", self.run_command("completion", "zsh").output)
        loaded = f"autoload -U +X compinit && compinit -u -D; source {script}; print -- ${{_comps[ocsctl]}}"
        self.assertIn("-F _ocsctl", self.run_shell("zsh", "-f", "-c", loaded))

    def test_zsh_file(self) -> None:
        """A file in the function path, as in the Debian package, completes the first time and every other."""
        self.write("_ocsctl", self.run_command("completion", "zsh").output)
        script = self.write("drive.zsh", _DRIVE_ZSH)
        self.run_shell("zsh", "-f", str(script), str(script.parent))

    def test_fish(self) -> None:
        """fish offers commands, orders and options, each with what it is for."""
        script = self.write("completion.fish", self.run_command("completion", "fish").output)

        def offered(line: str) -> list[str]:
            return self.run_shell("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'").splitlines()

        self.assertEqual(
            offered("ocsctl sandbox fa"),
            ["fault\tlet the next request fail", "faults\tshow the faults that are still to come"],
        )
        # fish 4 offers what has these letters elsewhere behind what begins with them.
        self.assertEqual(offered("ocsctl list import L --du")[0].partition("\t")[0], "--duplicates")
        self.assertIn("status\t", offered("ocsctl stat")[0])

    def test_unknown_shell(self) -> None:
        """Another shell is a wrong command line."""
        self.assertEqual(self.run_command("completion", "csh").status, 64)
