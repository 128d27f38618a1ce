"""Where imports of the console come together: the files that are kept, and who works on them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocsgw.admin.imports.incoming import Work
from ocsgw.admin.imports.kept_files import KeptFile, KeptFiles
from ocsgw.admin.imports.run import Ask, ImportRun, Job

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred


@dataclass(frozen=True, slots=True)
class ImportOffice:
    """The imports of all admin listeners. `work` calls functions away from the reactor, `clock` gives seconds.

    `undoing` are the numbers of those that are being taken back.
    """

    files: KeptFiles
    work: Work
    clock: Callable[[], float]
    undoing: set[int] = field(default_factory=set)

    def begin(self, kept: KeptFile, ask: Ask, *, dry_run: bool, again: bool) -> "Deferred[None]":
        """Begin to import a file, or only to try it, in place of an earlier run; fires when that has ended."""
        job = Job(
            contents=kept.contents,
            verdicts=kept.verdicts,
            name=kept.name,
            calling_list=kept.calling_list,
            options=kept.options,
            dry_run=dry_run,
            again=again,
        )
        run = kept.run = ImportRun(job, ask, self.work, self.clock)
        return run.start()
