"""What a test sees of the log."""

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer


@implementer(ILogObserver)
class LogCapture:
    """Collects the events that are logged until the end of a test."""

    def __init__(self, test: SynchronousTestCase) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self)
        test.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        """Take an event."""
        self.events.append(event)

    def numbers(self) -> list[int]:
        """Return the numbers of the numbered messages, in order."""
        return [event["number"] for event in self.events if event.get("number")]

    def text(self, number: int) -> str:
        """Return the text of the last message with a number."""
        return formatEvent([event for event in self.events if event.get("number") == number][-1])

    def texts(self, number: int | None = None) -> list[str]:
        """Return all texts, or those of messages with a number."""
        return [formatEvent(event) for event in self.events if number is None or event.get("number") == number]
