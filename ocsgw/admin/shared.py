"""What all admin listeners of a server have in common."""

from dataclasses import dataclass

from ocsgw.admin.console.history import History
from ocsgw.admin.imports.office import ImportOffice
from ocsgw.admin.record_counts import RecordCounts


@dataclass(frozen=True, slots=True)
class Shared:
    """The last 15 minutes, imports, and the numbers of records."""

    history: History
    imports: ImportOffice
    counts: RecordCounts
