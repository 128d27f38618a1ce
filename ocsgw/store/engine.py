"""What every engine is: the one seam between the store and those who use it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import Transaction
from ocsgw.store.lease import LeaseKeeper

# How a store is opened. `serve`: as a server does, with everything made that is missing, and our own tables brought up
# to date. `work`: by a command that changes records; the store has to be there, in the form of this version, and no
# server may use it. `read`: by a command that only looks; nothing is changed, and others may use the store meanwhile.
Access = Literal["serve", "work", "read"]


class HiddenText(Protocol):
    """A text that is not shown by accident."""

    @property
    def value(self) -> str:
        """The text."""


class StoreSettings(Protocol):
    """Section `[store]` of the configuration, as far as engines want it (configuration.md section 6)."""

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""

    @property
    def file(self) -> str | None:
        """The absolute path of an SQLite file, None with another kind."""

    @property
    def url(self) -> str:
        """The address as configured; of PostgreSQL it is one of libpq, without a password."""

    @property
    def password_file(self) -> HiddenText | None:
        """The password for PostgreSQL, which the file has."""

    @property
    def connect_timeout(self) -> float:
        """How many seconds a try to connect may take."""

    @property
    def prepared_statements(self) -> bool:
        """Whether a PostgreSQL server keeps the statements, and how it carries them out, for a connection."""

    @property
    def writers(self) -> int:
        """How many connections to PostgreSQL there are for batches of added records, besides the one for all else."""

    @property
    def create(self) -> bool:
        """Whether missing tables are made (K12)."""

    @property
    def create_indexes(self) -> bool:
        """Whether missing indexes are made (K23)."""


class Report(Protocol):
    """Takes what the operator should know: the number of a message of the log, and its fields.

    May be called by whatever thread uses the engine, also in the middle of a transaction.
    """

    def __call__(self, number: int, /, **fields: object) -> None:
        """Report one thing."""


class PipelinedBatch(Protocol):
    """A batch whose statements are all sent at once, commit included, by who does not wait for the answers."""

    @property
    def tx(self) -> Transaction:
        """What the batch is made of: a transaction that raises `NotPipelinedError` where it needs an answer."""

    @property
    def is_sending(self) -> bool:
        """Whether something waits for room to be sent."""

    def fileno(self) -> int:
        """Return the descriptor of its connection."""

    def give_up(self) -> None:
        """Nothing is sent."""

    def send(self) -> bool:
        """Send it, and return whether answers can be waited for; else the batch has come to an end.

        Raises `NotPipelinedError` where nothing was sent; `give_up` has to be called then.
        """

    def proceed(self) -> bool:
        """Read what has come, and send what there is room for; return whether the batch has come to an end."""

    def was_committed(self) -> bool:
        """Whether the batch, which has come to an end, is surely committed; if not, `settle` has to be asked."""

    def settle(self, wait: float) -> bool:
        """Find out what has become of it, and return whether it was committed. This takes its time.

        Raises `CommitUnknownError` if that is not found out within `wait` seconds or a little more.
        """


class Pipeline(Protocol):
    """Batches that go beside each other. `prepare` takes its time, and is called while none is on its way."""

    @property
    def is_full(self) -> bool:
        """Whether no further batch can begin before one has ended."""

    @property
    def needs_preparation(self) -> bool:
        """Whether `prepare` has to be called before a batch can begin, and may be now."""

    def begin(self) -> PipelinedBatch | None:
        """Begin a batch; None if that is not possible now."""

    def prepare(self, wait: float) -> None:
        """Get ready for batches; connecting takes at most `wait` seconds."""


class Engine(Protocol):
    """A store of records. Used by one thread at a time, except where an engine says more.

    The life of an engine is `open`, then any number of `use` and `transaction`, then `close`; after `close` it may be
    opened again.
    """

    @property
    def runs_in_reactor(self) -> bool:
        """Whether a transaction is quick enough, and waits for so little, that the reactor may carry it out itself."""

    @property
    def closed_lists(self) -> Mapping[str, str]:
        """The lists of the configuration in use that cannot be used, with the reason (K12)."""

    @property
    def lease(self) -> LeaseKeeper | None:
        """The lease of a server that has partners, None for a single server.

        Without the lease of a pair, `open` and `use` touch no calling list, and no transaction begins
        (`NotPrimaryError`). Where all servers serve it is that of the chores, which the engine does not check.
        """

    @property
    def pipeline(self) -> Pipeline | None:
        """What carries out batches beside each other, None where there is none."""

    def time(self) -> float | None:
        """Return the time of the store in seconds since 1970 UTC, None where that is the server's own (R56).

        Raises `StoreFailureError`.
        """

    def open(self, directory: Directory) -> None:
        """Connect, bring our own tables up to date, and open every list.

        Raises `StoreError`: nothing is open then. It may be tried again unless it is a `StoreVersionError`.
        """

    def use(self, directory: Directory) -> None:
        """Open the tables of this configuration; a list that cannot be opened is reported and left out (K12).

        Lists of the configuration before stay usable for batches that have begun with it. Raises `StoreError` for the
        do-not-call table; then nothing has changed.
        """

    def transaction(self, wait: float, *, alone: bool = True) -> AbstractContextManager[Transaction]:
        """Begin a write transaction, waiting at most `wait` seconds for other programs; commit at the end of the block.

        Where several servers serve, one that need not be `alone` goes on beside theirs; it may raise `NotAloneError`.
        An exception in the block undoes everything. Raises `StoreBusyError` if nothing was begun, `StoreFailureError`
        if nothing was changed, `CommitUnknownError` if that cannot be known.
        """

    def close(self) -> None:
        """Disconnect; may be called at any time, also twice."""
