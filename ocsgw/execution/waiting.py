"""What waits for the store, and what of it is the next batch."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import Directory
from ocsgw.contact.one_list import OneList, contact_of
from ocsgw.execution.jobs import Awaiting


class Waiting(Protocol):
    """Jobs that wait."""

    def __len__(self) -> int:
        """Return how many wait."""

    def append(self, job: Awaiting, /) -> None:
        """Take a job behind all others."""

    def extend(self, jobs: Iterable[Awaiting], /) -> None:
        """Take jobs, in their order."""

    def take(self, at_most: int) -> list[Awaiting]:
        """Take the next batch out, of so many jobs at most; empty if nothing waits."""

    def put_back(self, jobs: Sequence[Awaiting]) -> None:
        """Let what was taken out last be the next batch again."""

    def following(self) -> Iterable[Awaiting]:
        """Return the jobs of the next batch, which may be more than are taken out at once."""

    @property
    def may_grow(self) -> bool:
        """Whether clients who are answered next are likely to join the next batch, so that a pause is of use."""

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Take from outcomes what tells of further requests what they concern."""


class Mixed(deque[Awaiting]):
    """A batch is whatever has come meanwhile."""

    may_grow = True

    def take(self, at_most: int) -> list[Awaiting]:
        """Take the next batch out."""
        return [self.popleft() for _ in range(min(len(self), at_most))]

    def put_back(self, jobs: Sequence[Awaiting]) -> None:
        """Let what was taken out last be the next batch again."""
        self.extendleft(reversed(jobs))

    def following(self) -> Iterable[Awaiting]:
        """Return the jobs of the next batch."""
        return self

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Nothing has to be known."""


class _Section:
    """Jobs of several lists whose order among each other does not matter, or one job that is alone.

    `lists` has them by the DBID of their list, `contacts` the list for which a contact was named.
    """

    __slots__ = ("contacts", "is_alone", "lists")

    def __init__(self, *, is_alone: bool) -> None:
        self.is_alone = is_alone
        self.lists: OrderedDict[int | None, deque[Awaiting]] = OrderedDict()
        self.contacts: dict[object, int | None] = {}


class ByList:
    """A batch is of one list: the one whose turn it is.

    What concerns one list keeps its order, and so do requests about one contact in different lists. What concerns
    several lists, or one that is not known, is a batch of its own, behind all that came before and before all that
    comes behind.
    """

    def __init__(self, directory: Callable[[], Directory]) -> None:
        self._lists = OneList(directory)
        # In their order: a section begins when the one before it has been taken out.
        self._sections: deque[_Section] = deque()
        self._count = 0
        self._last: int | None = None

    def __len__(self) -> int:
        """Return how many wait."""
        return self._count

    def append(self, job: Awaiting, /) -> None:
        """Take a job behind all others of its list."""
        place, contact = self._lists.of(job.pending), contact_of(job.pending)
        section = self._sections[-1] if self._sections else None
        if (
            section is None
            or section.is_alone
            or place is None
            or (contact is not None and section.contacts.get(contact, place) != place)
        ):
            section = _Section(is_alone=place is None)
            self._sections.append(section)
        of_list = section.lists.get(place)
        if of_list is None:
            of_list = section.lists[place] = deque()
        of_list.append(job)
        if contact is not None:
            section.contacts[contact] = place
        self._count += 1

    def extend(self, jobs: Iterable[Awaiting], /) -> None:
        """Take jobs, in their order."""
        for job in jobs:
            self.append(job)

    def take(self, at_most: int) -> list[Awaiting]:
        """Take the next batch out; the list has its next turn when the others have had theirs."""
        if not self._sections:
            return []
        section = self._sections[0]
        self._last, of_list = section.lists.popitem(last=False)
        jobs = [of_list.popleft() for _ in range(min(len(of_list), at_most))]
        if of_list:
            section.lists[self._last] = of_list
        elif not section.lists:
            self._sections.popleft()
        self._count -= len(jobs)
        return jobs

    def put_back(self, jobs: Sequence[Awaiting]) -> None:
        """Let what was taken out last be the next batch again."""
        section = _Section(is_alone=self._last is None)
        section.lists[self._last] = deque(jobs)
        section.contacts.update((contact_of(job.pending), self._last) for job in jobs)
        self._sections.appendleft(section)
        self._count += len(jobs)

    def following(self) -> Iterable[Awaiting]:
        """Return the jobs of the next batch."""
        return next(iter(self._sections[0].lists.values())) if self._sections else ()

    @property
    def may_grow(self) -> bool:
        """Whether all that waits is for the list whose batch was the last."""
        return not self._sections or (
            len(self._sections) == 1 and len(lists := self._sections[0].lists) == 1 and self._last in lists
        )

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Take whose the handles are that are shown."""
        for each in outcomes:
            self._lists.learn(each.reply)
