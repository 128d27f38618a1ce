"""What sites of tests have in common."""

from twisted.internet.defer import Deferred

from ocsgw.admin.console.history import History
from ocsgw.admin.imports.office import ImportOffice
from ocsgw.admin.record_counts import RecordCounts
from ocsgw.admin.shared import Shared


def shared_of(imports: ImportOffice) -> Shared:
    """Return what listeners share, with these imports; nothing is ever counted."""
    return Shared(History(), imports, RecordCounts(lambda **_: Deferred(), imports.clock))
