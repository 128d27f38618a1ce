"""How an operation fails."""

from ocsgw.contact.directory import CallingList, Directory


class OperationError(Exception):
    """An operation cannot be carried out; the text says why and what to do."""


def list_named(directory: Directory, name: str) -> CallingList:
    """Return the calling list with a name. Raises `OperationError`."""
    calling_list = directory.list_named(name)
    if calling_list is None:
        known = ", ".join(each.name for each in directory.calling_lists) or "none"
        raise OperationError(f"there is no calling list {name}; configured: {known}")
    return calling_list
