"""Another store than the one of the configuration, as the command line names it."""

import os

import msgspec

from ocsgw.config.files import secret, store_url
from ocsgw.config.model import Store
from ocsgw.config.problems import Report
from ocsgw.config.schema import InvalidValueError, Place


class AddressError(Exception):
    """The address of a store, or the file with its password, cannot be used; the text says why and what to do."""


def store_at(store: Store, url: str, password_file: str | None) -> Store:
    """Return the section `[store]` for another address, with the other settings as configured.

    Paths begin at the working directory. The password is that of the configuration where the address is, else that of
    the file. Raises `AddressError`.
    """
    if url == store.url:
        return store
    here = Place(Report("", "", {}), (), os.getcwd())
    what = "the address of the store"
    try:
        parts = store_url(url, here)
        if parts.file is not None:
            file = os.path.normpath(parts.file)
            return msgspec.structs.replace(store, url=f"sqlite:///{file}", kind="sqlite", file=file, password_file=None)
        what = f"--password-file {password_file}"
        password = secret(password_file, here) if password_file is not None else None
    except InvalidValueError as error:
        ((_, message, hint),) = error.issues
        raise AddressError(f"{what} {message}; {hint}") from None
    return msgspec.structs.replace(store, url=url, kind="postgresql", file=None, password_file=password)
