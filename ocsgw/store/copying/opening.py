"""Opens both ends of a copy."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from ocsgw.contact.directory import Directory
from ocsgw.store.copying.errors import CopyError
from ocsgw.store.copying.place import Place
from ocsgw.store.copying.plan import copied_tables
from ocsgw.store.copying.run import Copy
from ocsgw.store.copying.sqlite import SQLitePlace
from ocsgw.store.engine import Report, StoreSettings


@contextmanager
def open_copy(
    source: StoreSettings,
    target: StoreSettings,
    directory: Directory,
    report: Report,
    show: Callable[[float, int], None],
    *,
    only_try: bool = False,
) -> Iterator[Copy]:
    """Give the copy of one store into another; unless it is only tried, no server may use either of them meanwhile.

    `report` takes what the operator should know of tables. Raises `StoreError`.
    """
    if _identity(source) == _identity(target):
        raise CopyError("a store cannot be copied into itself")
    with ExitStack() as stack:
        ends = [
            stack.enter_context(closing(_place(each, directory, report, is_target=is_target, exclusive=not only_try)))
            for each, is_target in ((source, False), (target, True))
        ]
        yield Copy(ends[0], ends[1], directory, secrets.token_hex(16), show)


def _identity(settings: StoreSettings) -> str:
    return os.path.realpath(settings.file) if settings.file is not None else settings.url


def _place(settings: StoreSettings, directory: Directory, report: Report, *, is_target: bool, exclusive: bool) -> Place:
    if settings.file is None:
        # The driver is loaded only where it is needed.
        from ocsgw.store.copying.postgresql import PostgreSQLPlace  # noqa: PLC0415

        return PostgreSQLPlace(settings, report, copied_tables(directory), is_target=is_target, exclusive=exclusive)
    return SQLitePlace(settings, settings.file, report, is_target=is_target, exclusive=exclusive)
