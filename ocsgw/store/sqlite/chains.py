"""The chains in process that are known as they stand, found by handle, record or chain."""

from collections.abc import Iterable, Iterator
from itertools import islice

from ocsgw.contact.transaction import HandoutInProcess

# Some 2 KiB each.
_MOST = 4096


class Chains:
    """Hand-outs of chains of one record, the newest ones; the number of such a hand-out is that of its handle."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._known: dict[int, HandoutInProcess] = {}
        # The same by list and record, and by list and chain.
        self._of_records: dict[int, dict[int, int]] = {}
        self._of_chains: dict[int, dict[int, int]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def clear(self) -> None:
        """Forget all."""
        if self._known:
            self._known, self._of_records, self._of_chains = {}, {}, {}

    def add(self, each: HandoutInProcess) -> None:
        """Note a hand-out."""
        handout = each.handout
        number, dbid = handout.handout_id, handout.list_dbid
        self._known[number] = each
        of_records = self._of_records.get(dbid)
        if of_records is None:
            of_records = self._of_records[dbid] = {}
            self._of_chains[dbid] = {}
        of_records[handout.record_id] = number
        self._of_chains[dbid][handout.chain_id] = number

    def __iter__(self) -> Iterator[HandoutInProcess]:
        return iter(self._known.values())

    def update(self, others: Iterable[HandoutInProcess]) -> None:
        """Note hand-outs; where there are too many the oldest ones are forgotten."""
        for each in others:
            self.add(each)
        if len(self._known) > self._most:
            self.forget(list(islice(self._known, len(self._known) - self._most)))

    def take(self, handles: Iterable[int]) -> list[HandoutInProcess]:
        """Return the hand-outs of those handles that are known, and forget them."""
        if not self._known:
            return []
        found = []
        for number in handles:
            each = self._known.pop(number, None)
            if each is not None:
                self._unname(each)
                found.append(each)
        return found

    def forget(self, numbers: Iterable[int]) -> None:
        """Forget hand-outs."""
        self.take(numbers)

    def forget_records(self, dbid: int, record_ids: Iterable[int]) -> None:
        """Forget the chains of records of a list."""
        self._forget(self._of_records.get(dbid), record_ids)

    def forget_chains(self, dbid: int, chain_ids: Iterable[int]) -> None:
        """Forget chains of a list."""
        self._forget(self._of_chains.get(dbid), chain_ids)

    def _forget(self, of_list: dict[int, int] | None, names: Iterable[int]) -> None:
        if of_list:
            self.take([of_list[each] for each in names if each in of_list])

    def _unname(self, each: HandoutInProcess) -> None:
        handout = each.handout
        self._of_records[handout.list_dbid].pop(handout.record_id, None)
        self._of_chains[handout.list_dbid].pop(handout.chain_id, None)
