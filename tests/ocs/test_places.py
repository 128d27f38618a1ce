"""Where a server reads and writes, seen before it starts; what only `ocsgw check-config` says."""

import os
import pwd
import shutil
import tempfile
import time
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config import ConfigurationError, load
from ocsgw.ocs import places
from ocsgw.ocs.checks import ADVICE, CHECKS, RULES
from ocsgw.ocs.places import check_user

# The user that the checks look through: as root one who may do little, else the one who runs the tests.
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
CONFIG = '[application]\ndbid = 1\n[store]\nurl = "sqlite:///{store}"\n{more}'


class PlaceTests(SynchronousTestCase):
    """Files and folders of a configuration."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        self.open = self.folder / "open"
        self.open.mkdir()
        self.open.chmod(0o777)
        self.shut = self.folder / "shut"
        self.shut.mkdir()
        self.path = self.folder / "ocsgw.toml"

    def shut_out(self) -> None:
        """Let nobody but root, or nobody at all, use the folder `shut` and what is in it."""
        for each in (*self.shut.iterdir(), self.shut):
            mode = 0o700 if each.is_dir() else 0o600
            each.chmod(mode if os.geteuid() == 0 else 0)
        self.addCleanup(self.shut.chmod, 0o700)

    def problems(self, more: str = "", store: str = "open/store.sqlite", *, user: str | None = None) -> list[str]:
        self.path.write_text(CONFIG.format(store=store, more=more), encoding="utf-8")
        try:
            load(self.path, (*CHECKS, *((check_user(user),) if user else ())), RULES)
        except ConfigurationError as error:
            return [f"{each.key}: {each.message}; {each.hint}" for each in error.problems]
        return []

    def test_log(self) -> None:
        """A log file that the start could not open is a problem of the configuration, with its line."""
        self.assertEqual(self.problems('[log]\ntarget = "open/ocs.log"\n'), [])
        (problem,) = self.problems('[log]\ntarget = "none/ocs.log"\n')
        folder = self.folder / "none"
        self.assertEqual(problem, f"[log] target: there is no folder {folder}; make it with: mkdir -p {folder}")
        (problem,) = self.problems('[log]\ntarget = "open"\n')
        self.assertIn("is a folder", problem)

    def test_good(self) -> None:
        """Where the user of the service may do everything there is no problem, also if folders are still to be made."""
        self.path.touch(0o644)
        self.assertEqual(self.problems(user=USER), [])
        self.assertEqual(self.problems(store="open/a/b/store.sqlite", user=USER), [])

    def test_unreadable(self) -> None:
        """Each file that the user of the service cannot read is a problem at the key that names it."""
        for name in ("first", "second"):
            (self.shut / name).write_text(f"0123456789abcdef{name}", encoding="utf-8")
            (self.shut / name).chmod(0o600)
        keys = "".join(f'[[api_key]]\nname = "{name}"\nkey_file = "shut/{name}"\n' for name in ("first", "second"))
        if os.geteuid() != 0:
            self.assertEqual(self.problems(keys, user=USER), [])
            return
        self.shut_out()
        found = self.problems(keys, user=USER)
        self.assertEqual(
            [each.split(";")[0] for each in found],
            [f"[[api_key]] key_file: the user {USER} cannot read {self.shut / name}" for name in ("first", "second")],
        )

    def test_unwritable(self) -> None:
        """Store, state directory, audit log and log file have to be in places that the user can write."""
        for path in ("store.sqlite", "ocs.log"):
            (self.shut / path).touch(0o600)
        self.shut_out()
        found = self.problems('[log]\ntarget = "open/ocs.log"\n', store="shut/store.sqlite", user=USER)
        self.assertTrue(any(f"the user {USER} cannot write into {self.shut}" in each for each in found), found)

    def test_cannot_become_the_user(self) -> None:
        """If nothing can be seen with the eyes of the user, that is said; it is not taken for a good sign."""
        self.patch(places, "_all_troubles", mock.Mock(side_effect=OSError("not permitted")))
        (problem,) = self.problems(user=USER)
        self.assertIn(f"cannot become the user {USER}", problem)

    def test_configuration_itself(self) -> None:
        """The file itself has to be readable too."""
        self.problems()
        if os.geteuid() == 0:
            self.path.chmod(0o600)
            self.assertIn(f"the user {USER} cannot read {self.path}", self.problems(user=USER)[0])


class AdviceTests(SynchronousTestCase):
    """Warnings of `ocsgw check-config`."""

    def warnings(self, text: str) -> list[str]:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "k").write_text("0123456789abcdef", encoding="utf-8")
        (folder / "k").chmod(0o600)
        path = folder / "ocsgw.toml"
        path.write_text(f'[application]\ndbid = 1\nstate_dir = "/run/ocsgw"\n{text}', encoding="utf-8")
        return [f"{each.key}: {each.message}" for each in load(path, CHECKS, (*RULES, *ADVICE)).warnings]

    def test_expiry(self) -> None:
        """An API key that has expired, and one that soon will, are warnings."""
        key = '[[api_key]]\nname = "k"\nkey_file = "k"\nexpires = {}\n'
        self.assertEqual(
            self.warnings(key.format("2020-01-31")),
            ["[[api_key]] expires: the key expired at 2020-01-31 23:59:59 UTC; requests with it get 401"],
        )
        self.assertEqual(self.warnings(key.format("2999-01-31")), [])
        self.assertEqual(self.warnings('[[api_key]]\nname = "k"\nkey_file = "k"\n'), [])
        end = 1_801_440_000  # 2027-02-01 00:00:00 UTC
        month = 30 * 86400
        for now, says in (
            (end - month - 1, None),
            (end - month, "expires at 2027-02-01 00:00:00 UTC"),
            (end - 1, "expires at"),
            (end, "expired at 2027-02-01 00:00:00 UTC"),
            (end + 1, "expired at"),
        ):
            self.patch(time, "time", lambda now=now: float(now))
            found = self.warnings(key.format("2027-02-01T00:00:00Z"))
            self.assertEqual(len(found), says is not None)
            if says is not None:
                self.assertIn(says, found[0])

    def test_list_in_no_campaign(self) -> None:
        """A list whose records are never handed out is a warning, unless it is switched off."""
        one = '[[calling_list]]\ndbid = 1\nname = "A"\ntable = "a"\n'
        off = '[[calling_list]]\ndbid = 2\nname = "B"\ntable = "b"\nenabled = false\n'
        campaign = '[[campaign]]\ndbid = 1\nname = "C"\ncalling_lists = ["A"]\n'
        self.assertEqual(
            self.warnings(one + off), ['[[calling_list]] name: "A" is in no campaign: its records are never handed out']
        )
        self.assertEqual(self.warnings(one + off + campaign), [])
