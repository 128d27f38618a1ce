"""Batches on their way to the database, for which no thread waits: the reactor is told when answers come."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet, IReadWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ocsgw.guard import guarded
from ocsgw.store.engine import PipelinedBatch


@implementer(IReadWriteDescriptor)
class Flight:
    """One batch on its way; `landed` is called once, when it has come to an end."""

    _log = Logger()

    def __init__(self, reactor: IReactorFDSet, batch: PipelinedBatch, landed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._batch = batch
        self._landed = landed
        self._descriptor = batch.fileno()
        self._has_landed = False
        reactor.addReader(self)
        if batch.is_sending:
            reactor.addWriter(self)

    def fileno(self) -> int:
        """Return the descriptor, which is closed only when the reactor has nothing to do with it any more."""
        return self._descriptor

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """Return what stands in messages of Twisted's log."""
        return "store"

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Take what has come."""
        self._proceed()

    def doWrite(self) -> None:  # noqa: N802 - Twisted's name
        """Send what there is room for."""
        self._proceed()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has found the connection broken, or stops: whoever asks the batch is told the same."""
        self._proceed()

    def _proceed(self) -> None:
        if self._has_landed:
            return
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        if not self._batch.proceed():
            self._reactor.addReader(self)
            if self._batch.is_sending:
                self._reactor.addWriter(self)
            return
        self._has_landed = True
        guarded(self._log, "batch", self._landed)
