"""The tables that an engine has open, and what it has learned about them while they were."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ocsgw.contact.directory import CallingList
from ocsgw.counters import UNREADABLE_ROWS
from ocsgw.store.texts import DncStatements, ListStatements

# Reasons differ by constraint; triggers may write what they like.
_MOST_REFUSALS = 1000


@dataclass(slots=True)
class CompleteForms:
    """When every do-not-call entry beyond ASCII had its normal form stored: the `version` of the store.

    Then there were `count` of them, and the one that was added last had the number `newest`, None if that is not known.
    At the version `alike_at` none had been added since.
    """

    version: object
    count: int
    newest: int | None
    alike_at: object = None


class OpenTables:
    """Statements by calling list, None for one that is closed; the do-not-call table.

    `unsettled` are the tables whose records in process have not been looked after since they were opened (K2).
    `skipped` are, by table, records that previews pass over because they cannot be represented, as of the version
    `skipped_at` of the store. `largest_record` is how many bytes the texts of a record may have together.
    `has_entries` is whether there are do-not-call entries, as far as was asked lately; None: nobody has.
    `is_outbox_counted` is whether the counter of the outbox was behind its entries when the last transaction ended.
    `complete_forms` are the countries in which every do-not-call entry had its normal form stored; `keeps_forms` says
    whether missing ones may be. `entries_reported` says that there are unreadable entries, `old_forms_forgotten` that
    no form by the rules of another version is left.
    """

    def __init__(self) -> None:
        self.lists: Mapping[CallingList, ListStatements | None] = {}
        self.do_not_call: DncStatements | None = None
        self.do_not_call_widths = (0, 0)
        self.has_entries: bool | None = None
        self.is_outbox_counted = False
        self.largest_record = 0
        self.complete_forms: dict[str, CompleteForms] = {}
        self.keeps_forms = False
        self.entries_reported = False
        self.old_forms_forgotten = False
        self.unsettled: set[str] = set()
        self.skipped: dict[str, dict[Any, str]] = {}
        self.skipped_at: object = None
        self._newest: Mapping[CallingList, ListStatements | None] = {}
        self._opened: set[str] = set()
        self._faulty: dict[CallingList, set[Any]] = {}
        self._closed: Mapping[str, str] = {}
        self._changed: dict[CallingList, str] = {}
        self._suspected: set[CallingList] = set()
        self._refusals: set[tuple[CallingList, str]] = set()

    def use(
        self,
        do_not_call: tuple[DncStatements, tuple[int, int]],
        lists: Mapping[CallingList, ListStatements | None],
        largest_record: int,
        closed: Mapping[str, str],
        *,
        keeps_forms: bool,
    ) -> None:
        """Take the tables of a new configuration; those of the one before stay, for batches that have begun with it.

        `closed` are the lists that could not be opened, with the reason.
        """
        self._closed = closed
        if do_not_call[0] != self.do_not_call:
            self.has_entries = None
        self.do_not_call, self.do_not_call_widths = do_not_call
        self.largest_record = largest_record
        self.keeps_forms = keeps_forms
        self.complete_forms.clear()
        self.entries_reported = self.old_forms_forgotten = False
        self.lists = {**self._newest, **lists}
        self._newest = lists
        opened = {each.table for each, text in lists.items() if text is not None}
        self.unsettled |= opened - self._opened
        self._opened |= opened
        self.skipped, self._faulty, self._changed, self._refusals = {}, {}, {}, set()
        self._suspected = set()

    def written_by_others(self) -> None:
        """Forget what holds only while no other program writes."""
        self.complete_forms.clear()
        self.skipped = {}

    def is_new_fault(self, calling_list: CallingList, record_id: object) -> bool:
        """Count a record that cannot be represented, once; return whether it is the first of its list."""
        known = self._faulty.setdefault(calling_list, set())
        if record_id in known:
            return False
        known.add(record_id)
        UNREADABLE_ROWS.add(list=calling_list.name)
        return len(known) == 1

    def is_new_refusal(self, calling_list: CallingList, reason: str) -> bool:
        """Note why the table of a list did not take a row; return whether that was not known."""
        if (calling_list, reason) in self._refusals or len(self._refusals) >= _MOST_REFUSALS:
            return False
        self._refusals.add((calling_list, reason))
        return True

    @property
    def closed_lists(self) -> Mapping[str, str]:
        """The lists in use that cannot be used, with the reason: not opened, or changed under us since."""
        changed = self._changed.copy()
        return {**self._closed, **{each.name: reason for each, reason in changed.items() if each in self._newest}}

    def is_changed(self, calling_list: CallingList) -> bool:
        """Whether the table of a list is known, or suspected, to have been changed under us."""
        return calling_list in self._suspected or calling_list in self._changed

    def suspect(self, calling_list: CallingList, *, suspected: bool = True) -> None:
        """Note that the table of a list may have been changed under us, or that it was not."""
        (self._suspected.add if suspected else self._suspected.discard)(calling_list)

    def close(self, calling_list: CallingList) -> None:
        """Let a list, whose table no longer has the columns that it needs, be unusable until it is opened anew."""
        self.lists = {**self.lists, calling_list: None}

    def is_newly_changed(self, calling_list: CallingList, reason: str) -> bool:
        """Note that the table of a list was changed under us; return whether that was not known."""
        is_new = calling_list not in self._changed
        self._changed[calling_list] = f"its table was changed while the server runs: {reason}; correct it, then reload"
        return is_new
