"""`ocsgw init`: what it writes can be used as it is, and nothing that exists is touched."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import load
from ocsgw.ocs.checks import ADVICE, CHECKS, RULES
from ocsgw.setup import init
from ocsgw.setup.init import InitError, initialize, state_directory_for
from ocsgw.setup.shared import shared_file

COMMAND = ("/opt/ocsgw/bin/ocsgw",)


class InitTests(SynchronousTestCase):
    """A folder that is new."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_configuration(self) -> None:
        """The configuration is accepted without a warning; store, keys and state are where they should be."""
        for name in ("a", "b c", "d'e\"f", "é%g\\h"):
            with self.subTest(name=name):
                made = initialize(self.folder / name, self.folder / name / "var", COMMAND)
                config = load(made.config, CHECKS, (*RULES, *ADVICE))
                self.assertEqual(config.warnings, ())
                self.assertEqual(config.store.file, str(self.folder / name / "var" / "ocsgw.sqlite"))
                self.assertEqual(config.application.state_dir, str(self.folder / name / "var"))
                self.assertEqual([key.name for key in config.api_keys], ["first-client"])
                self.assertNotIn(made.key, made.config.read_text(encoding="utf-8"))

    def test_modes(self) -> None:
        """Nobody but owner and group reads any of it, whatever the umask."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        initialize(self.folder / "new", self.folder / "state", COMMAND)
        for each in (*(self.folder / "new").rglob("*"), self.folder / "new", self.folder / "state"):
            self.assertEqual(each.stat().st_mode & 0o007, 0, each)

    def test_nothing_is_overwritten(self) -> None:
        """A second time in the same folder changes nothing and says why."""
        initialize(self.folder, self.folder / "var", COMMAND)
        files = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        for missing in (None, "ocsgw.toml", "ocsgw.service"):
            if missing is not None:
                del files[self.folder / missing]
                (self.folder / missing).unlink()
            error: InitError = self.assertRaises(InitError, initialize, self.folder, self.folder / "var", COMMAND)
            self.assertIn("exists", str(error))
            self.assertEqual({path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}, files)

    def test_half_an_installation(self) -> None:
        """Whichever of the files exists, none of the others is made: no key that nobody knows of."""
        for name in ("ocsgw.toml", "ocsgw.service", "keys/first-client.key"):
            folder = self.folder / name.replace("/", "-")
            file = folder / name
            file.parent.mkdir(parents=True)
            file.touch()
            self.assertRaises(InitError, initialize, folder, folder / "var", COMMAND)
            self.assertEqual([path for path in folder.rglob("*") if path.is_file()], [file])
            self.assertFalse((folder / "var").exists())

    def test_relative(self) -> None:
        """A folder may be named from the working directory; what is written holds from everywhere."""
        folder = os.path.relpath(self.folder / "new")
        made = initialize(Path(folder), Path(folder) / "state", COMMAND)
        self.assertTrue(made.config.is_absolute())
        config = load(made.config, CHECKS, RULES)
        self.assertEqual(config.store.file, os.path.abspath(f"{folder}/state/ocsgw.sqlite"))

    def test_cannot_write(self) -> None:
        """A place that cannot be written, or cannot stand in a configuration, is named."""
        (self.folder / "file").touch()
        for folder in (self.folder / "file", self.folder / "file" / "below", self.folder / "a\nb"):
            error: InitError = self.assertRaises(InitError, initialize, folder, self.folder / "var", COMMAND)
            self.assertIn("file" if "file" in str(folder) else "characters", str(error))

    def test_state_directory(self) -> None:
        """The store goes where the supplied unit has it, or beside a configuration elsewhere."""
        self.assertEqual(state_directory_for(Path("/etc/ocsgw")), Path("/var/lib/ocsgw"))
        self.assertEqual(state_directory_for(Path("/srv/x")), Path("/srv/x/var"))

    def test_unit(self) -> None:
        """The unit has the program, the configuration and the state directory of this installation."""
        folder, state = self.folder / "a b", self.folder / "100%"
        self.patch(init, "SERVICE_USER", "no-such-user")
        made = initialize(folder, state, ("/opt/my ocs/ocsgw",))
        assert made.service is not None
        lines = made.service.read_text(encoding="utf-8").splitlines()
        escaped = str(state).replace("%", "%%")
        self.assertIn(f'ExecStart="/opt/my ocs/ocsgw" run --config "{folder}/ocsgw.toml"', lines)
        self.assertIn(f"WorkingDirectory={escaped}", lines)
        self.assertIn(f"ReadWritePaths={escaped}", lines)
        self.assertNotIn("StateDirectory=ocsgw", lines)
        self.assertIn(f"useradd --system --home-dir {state} --shell /usr/sbin/nologin no-such-user", made.steps)

    def test_packaged_unit(self) -> None:
        """Where a package has the unit for the standard places, none is written that would hide it and grow old."""
        system = self.folder / "etc"
        self.patch(init, "SYSTEM", system)
        self.patch(init, "SYSTEM_STATE", self.folder / "state")
        self.patch(init, "PACKAGED_UNIT", Path(__file__))
        made = initialize(system / "ocsgw", self.folder / "state", COMMAND)
        self.assertIsNone(made.service)
        self.assertEqual(made.steps[-1], "systemctl enable --now ocsgw")
        self.assertEqual([each for each in made.steps if "install" in each], [])
        other = initialize(self.folder / "other", self.folder / "other-state", COMMAND)
        self.assertIsNotNone(other.service)

    def test_unit_is_valid(self) -> None:
        """systemd, where it is there, has nothing against the unit."""
        made = initialize(self.folder / "n w", self.folder / "100%", ("/bin/true",))
        verify = shutil.which("systemd-analyze")
        if verify is not None and made.service is not None:
            command = [verify, "--man=no", "verify", str(made.service)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertNotIn(made.service.name, done.stderr)

    def test_shared_files(self) -> None:
        """What comes with ocsgw is found; what does not is not."""
        for name in ("ocsgw.toml", "systemd/ocsgw.service", "logrotate/ocsgw"):
            found = shared_file(name)
            self.assertTrue(found is not None and found.is_file(), name)
        self.assertIsNone(shared_file("systemd/none.service"))
