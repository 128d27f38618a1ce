"""Work of an operator on lists, in slices: what `ocsctl` asks of a server, or does itself where none runs.

An operation is a function of a turn and its arguments; it is carried out in one transaction. The arguments come from
outside and are checked here.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec

from ocsgw.contact.transaction import UnavailableListError
from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork
from ocsgw.operations import imports
from ocsgw.operations.counts import CountRecords, count_records
from ocsgw.operations.errors import OperationError
from ocsgw.operations.explain import explain
from ocsgw.operations.exports import ExportRows, export_slice
from ocsgw.operations.header import HeaderError
from ocsgw.operations.history import chains_numbered, chains_of_contact, chains_of_handle, history
from ocsgw.operations.remove_entries import RemoveEntries, remove_entries

__all__ = ["BRIEF", "OperationError", "carry_out"]

# What these do in one transaction takes some milliseconds, or ends when somebody else waits.
BRIEF = frozenset({"import", "known contacts"})

# The end of the year 9000, behind which there is no calendar.
_LATEST = 221845132800


class Explain(msgspec.Struct, kw_only=True):
    """A question about a contact, for now or for another time in seconds since 1970 UTC."""

    contact: str
    at: Annotated[int, msgspec.Meta(ge=0, le=_LATEST)] | None = None


def explain_contact(unit: UnitOfWork, arguments: Explain) -> Any:
    """Return why a contact would, or would not, be handed out."""
    explanation = explain(unit, arguments.contact, arguments.at if arguments.at is not None else unit.now)
    return msgspec.to_builtins(explanation)


class History(msgspec.Struct, kw_only=True):
    """A question about what has happened to a record.

    Exactly one of `contact`, `handle` and `chain` is given, `chain` with the name of its `calling_list`; `at` is a time
    in seconds since 1970 UTC as of which the records are wanted.
    """

    contact: str | None = None
    handle: int | None = None
    chain: int | None = None
    calling_list: str | None = None
    at: Annotated[int, msgspec.Meta(ge=0, le=_LATEST)] | None = None


def history_of_records(unit: UnitOfWork, arguments: History) -> Any:
    """Return what has happened to the chains that a contact, a handle or a chain id names."""
    if arguments.contact is not None:
        chains = chains_of_contact(unit, arguments.contact)
    elif arguments.handle is not None:
        chains = chains_of_handle(unit, arguments.handle)
    else:
        chains = chains_numbered(unit, arguments.chain or 0, arguments.calling_list)
    return [msgspec.to_builtins(history(unit, *each, arguments.at)) for each in chains]


class NoArguments(msgspec.Struct):
    """An operation without arguments."""


def audit_position(unit: UnitOfWork, arguments: NoArguments) -> Any:
    """Return number and hash of the last line of the audit log that is committed, None before the first one."""
    return unit.tx.audit_position()


_ARGUMENTS: Mapping[str, tuple[type[Any], Callable[[UnitOfWork, Any], Any]]] = {
    "begin import": (imports.BeginImport, imports.begin_import),
    "import": (imports.ImportRows, imports.import_slice),
    "known contacts": (imports.KnownContacts, imports.known_contacts),
    "imports": (imports.ListImports, imports.list_imports),
    "undo import": (imports.UndoImport, imports.undo_import),
    "remove entries": (RemoveEntries, remove_entries),
    "export": (ExportRows, export_slice),
    "count records": (CountRecords, count_records),
    "explain": (Explain, explain_contact),
    "history": (History, history_of_records),
    "audit position": (NoArguments, audit_position),
}


def carry_out(unit: UnitOfWork, name: str, arguments: object) -> Any:
    """Carry out an operation by its name; what it has returned as `Unfinished` goes on in a further transaction.

    Raises `OperationError`; then the transaction has to be undone.
    """
    known = _ARGUMENTS.get(name)
    if known is None:
        raise OperationError(f"there is no operation {name}; is ocsctl of another version?")
    kind, operation = known
    return _carry_out(unit, name, lambda unit: operation(unit, msgspec.convert(arguments, kind)))


def _carry_out(unit: UnitOfWork, name: str, function: Callable[[UnitOfWork], Any]) -> Any:
    try:
        result = function(unit)
    except msgspec.DecodeError as error:
        raise OperationError(
            f"the operation {name} is not understood: {error}; is ocsctl of another version?"
        ) from None
    except HeaderError as error:
        raise OperationError(str(error)) from None
    except UnavailableListError as error:
        raise OperationError(
            f"calling list {error} cannot be used; the log of the server says what is wrong with its table"
        ) from None
    if isinstance(result, Unfinished):
        go_on = result.function
        return Unfinished(lambda unit: _carry_out(unit, name, go_on))
    return result
