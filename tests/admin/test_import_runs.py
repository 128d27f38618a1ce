"""The work on a file of an import, with a server that answers as it is told."""

import os
from itertools import accumulate
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.admin.console.import_form import in_words_of_the_form
from ocsgw.admin.imports.nameless import NamelessFile
from ocsgw.admin.imports.run import ImportRun, Job
from ocsgw.control.errors import ControlError
from ocsgw.files.options import ImportOptions
from ocsgw.operations.parts import rows_of

BEGUN = {
    "rows": 0,
    "counts": {},
    "finished_at": None,
    "number": 7,
    "contact_at": 0,
    "country": "",
    "ignored": [],
    "read_as": ["GSW_PHONE"],
}


class RunTests(SynchronousTestCase):
    """One run from its beginning to its end."""

    def setUp(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "begin import": BEGUN,
            "known contacts": [],
            "import": lambda rows, **_: {"counts": {"added": len(rows)}, "verdicts": []},
        }
        folder = self.mktemp()
        os.mkdir(folder)
        self.contents, self.verdicts = NamelessFile(folder), NamelessFile(folder)
        self.addCleanup(self.contents.close)
        self.addCleanup(self.verdicts.close)
        with self.contents.open_to_write() as stream:
            stream.write(b"GSW_PHONE\n" + b"".join(b"%d\n" % number for number in range(2500)))

    def ask(self, name: str, /, **arguments: Any) -> "Deferred[Any]":
        """Answer an operation."""
        if "parts" in arguments:
            arguments["rows"] = rows_of(arguments.pop("parts"))
        self.asked.append((name, arguments))
        answer = self.answers[name]
        if isinstance(answer, Exception):
            return fail(answer)
        return answer if isinstance(answer, Deferred) else succeed(answer(**arguments) if callable(answer) else answer)

    def run_of(self, *, dry_run: bool = False, **options: Any) -> ImportRun:
        """Begin a run."""
        job = Job(
            contents=self.contents,
            verdicts=self.verdicts,
            name="a.csv",
            calling_list="CL",
            options=ImportOptions(**options),
            dry_run=dry_run,
            again=False,
        )
        run = ImportRun(job, self.ask, maybeDeferred, Clock().seconds)
        run.start()
        return run

    def slices(self) -> list[tuple[int, int, bool]]:
        """Return first row, number of rows, and whether it is the last one, of each slice that was asked for."""
        return [(each["first"], len(each["rows"]), each["last"]) for name, each in self.asked if name == "import"]

    def test_whole(self) -> None:
        """All rows are sent in slices, and an empty one says that there are no more."""
        run = self.run_of()
        sent = self.slices()
        self.assertEqual([first for first, *_ in sent], [0, *accumulate(rows for _, rows, _ in sent)][:-1])
        self.assertEqual(sent[-1], (2500, 0, True))
        self.assertFalse(any(last for *_, last in sent[:-1]))
        self.assertEqual((run.state, run.number, run.counts["added"], run.progress.done), ("done", 7, 2500, 1.0))
        self.assertFalse(run.is_under_way)

    def test_goes_on(self) -> None:
        """An import that was interrupted goes on behind its rows, and known contacts are not asked about again."""
        self.answers["begin import"] = {**BEGUN, "rows": 2000, "counts": {"added": 2000}}
        run = self.run_of()
        self.assertEqual(self.slices(), [(2000, 500, False), (2500, 0, True)])
        self.assertEqual(run.counts["added"], 2500)
        self.assertNotIn("known contacts", [name for name, _ in self.asked])

    def test_stop(self) -> None:
        """A run that is stopped ends behind the slice that is under way."""
        held: Deferred[Any] = Deferred()
        self.answers["import"] = held
        run = self.run_of()
        self.assertTrue(run.is_under_way)
        run.stop()
        self.assertTrue(run.is_under_way)
        held.callback({"counts": {"added": 1000}, "verdicts": []})
        self.assertEqual((run.state, run.counts["added"], len(self.slices())), ("stopped", 1000, 1))

    def test_failures(self) -> None:
        """Whatever fails ends the run with its reason, and where it came to is kept."""
        for answers, state, reason in (
            ({"import": ControlError("the store fails")}, "failed", "the store fails"),
            ({"begin import": ControlError("this server is the backup")}, "failed", "this server is the backup"),
            ({"known contacts": [(0, 5)] * 100}, "refused", "2500 rows have contacts that the list has already"),
        ):
            with self.subTest(answers=answers):
                self.setUp()
                self.answers.update(answers)
                run = self.run_of()
                self.assertEqual(run.state, state)
                self.assertIn(reason, run.reason)

    def test_internal_error(self) -> None:
        """A defect is logged, and does not leave the run under way."""
        self.answers["import"] = ZeroDivisionError("a defect")
        run = self.run_of()
        self.assertEqual((run.state, run.reason), ("failed", "an internal error; the log has it"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_file_is_gone(self) -> None:
        """A file that was discarded meanwhile is said."""
        self.contents.close()
        run = self.run_of()
        self.assertEqual((run.state, run.reason), ("failed", "the file cannot be read: No such file or directory"))

    def test_imported_before(self) -> None:
        """Nothing is sent of a file that was imported before."""
        self.answers["begin import"] = {**BEGUN, "finished_at": 1, "counts": {"added": 5}}
        run = self.run_of()
        self.assertEqual((run.state, run.number, run.counts["added"], self.slices()), ("imported before", 7, 5, []))

    def test_verdicts(self) -> None:
        """The first verdicts are shown, those that are wrong before others; all of them are in the file."""

        def verdicts(rows: list[Any], first: int, **_: Any) -> dict[str, Any]:
            found = [(at, "skipped" if (first + at) % 2 else "refused", f"reason {at}") for at in range(len(rows))]
            return {"counts": {"refused": len(rows)}, "verdicts": found}

        self.answers["import"] = verdicts
        run = self.run_of(dry_run=True)
        self.assertEqual(sum(each.is_wrong for each in run.shown), 200)
        self.assertEqual(len(run.shown), 250)
        self.assertEqual(run.shown[0], (2, "refused", "reason 0"))
        self.assertEqual(run.reasons, {("refused", "reason N"): 1250, ("skipped", "reason N"): 1250})
        with self.verdicts.open_to_read() as stream:
            self.assertEqual(len(stream.readlines()), 2501)
        self.assertIsNone(run.number)

    def test_words(self) -> None:
        """Texts of `ocsctl` name the fields of the form."""
        for text in (
            "the byte 0xfc is not valid in UTF-8. Name the encoding of the file with --encoding, or use --partial",
            "the first row must name the columns, or use --map NAME=GSW_PHONE with the name that the column has",
            "has no column 'X'; remove it, use --map to say which one it is, or --ignore-unknown",
            "it begins with the byte order mark of UTF-16, but --encoding says utf-8; leave it out",
            "--delimiter 'ab' is not a valid delimiter",
        ):
            self.assertNotIn("--", in_words_of_the_form(text))
