"""What is recognized in a kept file before anything is begun."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import inlineCallbacks

from ocsgw.admin.imports.incoming import Work
from ocsgw.admin.imports.kept_files import KeptFile, Looked
from ocsgw.admin.imports.run import Ask
from ocsgw.control.errors import ControlError
from ocsgw.files.errors import FileError
from ocsgw.files.source import reading

_SAMPLE = 3


@inlineCallbacks
def look(kept: KeptFile, likely: Callable[[Sequence[str]], list[str | None]], ask: Ask, work: Work) -> Any:
    """Look at a file; fires with `Looked`, whatever is wrong with it."""
    looked = Looked()
    try:
        common: Any = yield work(lambda: _recognize(kept, looked))
        looked.likely = likely(looked.named)
        found: Any = yield ask("begin import", **common, look=True)
    except (FileError, ControlError) as error:
        looked.problem = str(error)
    except OSError as error:
        looked.problem = f"the file cannot be read: {error.strerror or error}"
    else:
        looked.rows = found["rows"]
        looked.imported = found["number"] if found["finished_at"] is not None else None
    return looked


def _recognize(kept: KeptFile, looked: Looked) -> dict[str, Any]:
    """Return what the operations are told of a file."""
    with reading(kept.name, kept.contents.open_to_read(), kept.options) as source:
        looked.words, looked.named, looked.chosen = source.in_words(), source.named, source.header
        rows = (each.cells for each in source.rows)
        looked.sample = list(itertools.islice((cells for cells in rows if isinstance(cells, list)), _SAMPLE))
        return source.arguments(kept.calling_list, dry_run=False)
