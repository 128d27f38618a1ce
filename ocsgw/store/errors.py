"""What can be wrong with the store."""


class StoreError(Exception):
    """The store cannot be opened or used; the text says why and what to do."""


class CommitUnknownError(Exception):
    """The commit was begun and nobody can say whether it happened (C41, 504)."""
