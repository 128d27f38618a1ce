"""No input and no environment makes `ocsctl` end with a traceback."""

import gzip
import os
import stat
import subprocess
import sys
from unittest import mock

from ocsgw.ctl import exporting
from tests.ctl.support import CommandTestCase, Done
from tests.integration.server import ROOT


class RealProcessTests(CommandTestCase):
    """The command as a process of its own, in odd surroundings."""

    def run_process(self, *arguments: bytes | str, **options: object) -> Done:
        """Run the real command."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("environment", {})}  # type: ignore[dict-item]
        done = subprocess.run(
            [sys.executable, "-m", "ocsgw.ctl", "--config", str(self.folder / "ocsgw.toml"), *arguments],
            env=environment,
            timeout=60,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.folder, **options},  # type: ignore[call-overload]
        )
        return Done(
            done.returncode, (done.stdout or b"").decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )

    def assert_words(self, done: Done, status: int, words: str) -> None:
        """Assert that a command has failed in one line of words."""
        self.assertNotIn("Traceback", done.messages)
        self.assertEqual(done.status, status, done)
        self.assertIn(words, done.messages)

    def test_full_device_behind_standard_output(self) -> None:
        """What could not be written is reported, and is not a success."""
        for command in (("list", "export", "CL_Test"), ("explain", "1"), ("explain", "1", "--json")):
            with self.subTest(command=command), open("/dev/full", "wb") as full:
                self.assert_words(self.run_process(*command, stdout=full), 1, "No space left on device")

    def test_closed_standard_output(self) -> None:
        """A pipe that nobody reads any more, or a stream that was closed, is no fault."""
        self.sql("INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (1, '6505550100', 1, 0)")
        read, write = os.pipe()
        os.close(read)
        self.addCleanup(os.close, write)
        done = self.run_process("list", "export", "CL_Test", stdout=write)
        self.assertNotIn("Traceback", done.messages)
        self.assertNotIn("Exception ignored", done.messages)

    def test_bytes_that_are_not_utf8(self) -> None:
        """Names and contacts are refused, files are found and shown."""
        self.assert_words(self.run_process("explain", b"65\xff"), 64, "not valid UTF-8")
        self.assert_words(self.run_process("list", "export", b"CL\xe9"), 64, "not valid UTF-8")
        self.assert_words(self.run_process("list", "import", "CL_Test", b"none\xe9.csv"), 1, "No such file")
        with open(os.path.join(os.fsencode(self.folder), b"liste\xe9.csv"), "wb") as stream:
            stream.write(b"GSW_PHONE\n6505550100\n")
        done = self.run_process("list", "import", "CL_Test", b"liste\xe9.csv")
        self.assertEqual(done.status, 0, done)
        done = self.run_process("list", "export", "CL_Test", b"aus\xe9.csv")
        self.assertEqual(done.status, 0, done)
        self.assertIn("aus�.csv", done.messages)

    def test_terminal_without_utf8(self) -> None:
        """What the terminal cannot show is written as an escape."""
        self.sql("INSERT INTO liste_ete (record_id, contact_info, chain_id, chain_n) VALUES (1, '6505550132', 1, 0)")
        done = self.run_process("explain", "6505550132", environment={"PYTHONIOENCODING": "ascii"})
        self.assertEqual(done.status, 0, done)
        self.assertIn("Liste \\xe9t\\xe9", done.output)

    def test_working_directory_is_gone(self) -> None:
        """A deleted working directory is reported, and does not matter to a configuration with an absolute path."""
        gone = self.folder / "gone"
        code = (
            f"import os, sys; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); from ocsgw.ctl.__main__ import main; "
            "sys.exit(main(sys.argv[1:]))"
        )
        for config, status, words in (
            ("ocsgw.toml", 78, "No such file"),
            (str(self.folder / "ocsgw.toml"), 69, "is the server running"),
        ):
            gone.mkdir()
            done = subprocess.run(
                [sys.executable, "-c", code, "--config", config, "status"],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertNotIn("Traceback", done.stderr)
            self.assertEqual(done.returncode, status, done)
            self.assertIn(words, done.stderr)


class RobustTests(CommandTestCase):
    """The same within this process."""

    def test_encodings(self) -> None:
        """What is not an encoding of files is refused, for reading and for writing."""
        file = self.write("f.csv", "GSW_PHONE\n1\n")
        for name in (
            "undefined",
            "idna",
            "punycode",
            "base64",
            "klingon",
            "rot13",
            "mbcs",
            "",
            "x" * 1000,
            "unicode_escape",
        ):
            for command in (("list", "import", "CL_Test", file), ("list", "export", "CL_Test", self.folder / "x.csv")):
                with self.subTest(name=name[:20], command=command[1]):
                    done = self.run_command(*command, "--encoding", name)
                    self.assertEqual(done.status, 64, done)
                    self.assertIn("not a known encoding", done.messages)

    def test_times(self) -> None:
        """Times outside the calendar of the product are refused as a wrong command line."""
        for time in (
            "0001-01-01",
            "1900-01-01 00:00",
            "9999-12-31 23:59",
            "9999-12-31T23:59-12:00",
            "12",
            "\x00",
            "2026-13-01",
        ):
            with self.subTest(time=time):
                self.assertEqual(self.run_command("explain", "1", "--at", time).status, 64)
        self.assertEqual(self.run_command("explain", "1", "--at", "8999-06-01 00:00").status, 0)

    def test_audit_files(self) -> None:
        """Brackets, rubbish, other kinds of files and broken compression are a verdict, not a traceback."""
        self.run_command("audit", "verify")
        for name, contents, words in (
            ("brackets", b"[" * 100_000 + b"\n", "is not a line of an audit log"),
            ("numbers", b"9" * 10_000 + b"\n", "is not a line of an audit log"),
            ("rubbish", bytes(range(256)) * 10, "is not a line of an audit log"),
            ("broken.gz", gzip.compress(b"x" * 1000)[:-4], "compressed file is damaged"),
            ("packed.gz", gzip.compress(b'{"n": 1}\n'), "is not a line of an audit log"),
            ("empty", b"", "the file is empty"),
        ):
            with self.subTest(name=name):
                done = self.run_command("audit", "verify", self.write(name, contents))
                self.assertEqual(done.status, 1)
                self.assertIn(words, done.messages)
        for path in ("/dev/zero", self.folder):
            done = self.run_command("audit", "verify", path)
            self.assertEqual(done.status, 1)
            self.assertIn("not a regular file", done.messages)

    def test_endless_configuration(self) -> None:
        """A device without an end is not read for ever."""
        self.folder.joinpath("ocsgw.toml").unlink()
        self.folder.joinpath("ocsgw.toml").symlink_to("/dev/zero")
        done = self.run_command("status")
        self.assertEqual(done.status, 78)
        self.assertIn("it is a device, not a file", done.messages)

    def test_a_fault_of_our_own(self) -> None:
        """Also a fault of ocsctl itself is one line, unless it is to be found."""
        with mock.patch.object(exporting, "open_rows", side_effect=KeyError("x")):
            done = self.run_command("list", "export", "CL_Test")
            self.assertEqual(done.status, 1)
            self.assertIn("fault of ocsctl", done.messages)
            self.assertRaises(KeyError, self.run_command, "--debug", "list", "export", "CL_Test")


class OutputFileTests(CommandTestCase):
    """Exports and what is at their place."""

    def export(self, path: object) -> Done:
        """Export an empty list."""
        return self.run_command("list", "export", "CL_Test", str(path))

    def test_device_and_pipe(self) -> None:
        """A device or a pipe is written to; it is not replaced."""
        self.assertEqual(self.export("/dev/null").status, 0)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assertEqual(self.export(pipe).status, 0)
        self.assertTrue(stat.S_ISFIFO(pipe.stat().st_mode))
        self.assertIn(b"record_id", os.read(reader, 65536))
        done = self.export("/dev/full")
        self.assertEqual(done.status, 1)
        self.assertIn("cannot write /dev/full: No space left", done.messages)

    def test_symbolic_link(self) -> None:
        """A link stays, and its target gets the rows."""
        real = self.folder / "real"
        real.mkdir()
        link = self.folder / "link.csv"
        link.symlink_to("real/out.csv")
        self.assertEqual(self.export(link).status, 0)
        self.assertTrue(link.is_symlink())
        self.assertEqual([each.name for each in real.iterdir()], ["out.csv"])

    def test_mode(self) -> None:
        """A file keeps its mode; nothing is left beside it, also if writing fails."""
        kept = self.write("kept.csv", "old")
        kept.chmod(0o600)
        self.assertEqual(self.export(kept).status, 0)
        self.assertEqual(stat.S_IMODE(kept.stat().st_mode), 0o600)
        before = sorted(self.folder.iterdir())
        with mock.patch("os.replace", side_effect=OSError(28, "No space left on device")):
            done = self.export(kept)
        self.assertEqual(done.status, 1)
        self.assertIn("No space left", done.messages)
        self.assertEqual(sorted(self.folder.iterdir()), before)
        self.assertIn("it is a directory", self.export(self.folder).messages)

    def test_byte_order_mark(self) -> None:
        """With utf-8-sig the mark is written, and read again."""
        path = self.folder / "x.csv"
        self.assertEqual(self.run_command("list", "export", "CL_Test", path, "--encoding", "utf-8-sig").status, 0)
        self.assertEqual(path.read_bytes()[:3], b"\xef\xbb\xbf")
