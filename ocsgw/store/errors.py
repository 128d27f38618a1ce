"""What can be wrong with the store."""

from ocsgw.contact.transaction import RefusedByTableError, StoreFailureError


class StoreError(Exception):
    """The store cannot be opened or used; the text says why and what to do."""


class StoreVersionError(StoreError):
    """The tables of the store are not those of this version; to try again is of no use (exit status 78)."""


class StoreBusyError(StoreFailureError):
    """Another program writes, and there was no time to wait for it; nothing was begun."""


class StatementError(StoreFailureError):
    """A statement does not fit the tables (any more): somebody has changed them."""


class ConflictError(StoreFailureError):
    """The database asks for the whole transaction again, because of what others wrote; nothing was changed."""


class CommitUnknownError(Exception):
    """The commit was begun and nobody can say whether it happened (C41, 504)."""


class RunFailedError(StoreFailureError):
    """A run failed in a transaction without savepoints, so that all of it was undone; to be carried out with them."""


class NotPipelinedError(StoreFailureError):
    """A batch needs answers of the database before it is complete; nothing was sent."""

    def __init__(self) -> None:
        super().__init__("the batch needs answers of the database")


class NotPrimaryError(StoreFailureError):
    """A server of a pair does not have the lease, or has it no longer; nothing was changed (C82)."""


class UndoneTransactionError(StoreFailureError):
    """A trigger of the site has undone the whole transaction, not only its own statement.

    `refusal` says which table it was. The requests of the batch have to be carried out again, each on its own.
    """

    def __init__(self, refusal: RefusedByTableError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
