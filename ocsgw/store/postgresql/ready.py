"""Which records are ready: the index that finds them and the statements that use it (http.md H271 to H274).

As on SQLite (`sqlite/ready.py` says why): the index begins with what decides about the window, and is skipped through.
"""

from collections.abc import Mapping

from ocsgw.contact.choice.eligibility import OVER_MIDNIGHT, PRIORITY_CLASSES, SLOT, WHOLE_DAY, WITHIN_A_DAY
from ocsgw.protocol.columns import CALLING_LIST_COLUMNS
from ocsgw.store.due import campaign, is_open, order, unscheduled
from ocsgw.store.postgresql.forms import given
from ocsgw.store.records import LATEST, LEAST
from ocsgw.store.texts import UsableColumn

INTEGERS = tuple(each.name for each in CALLING_LIST_COLUMNS if each.block == 1 and each.family == "integer")
# Every value of these is one that we can represent.
_ALWAYS_WHOLE = frozenset({"smallint", "integer"})
# How the statement for the first ready records ends.
_FOUND = ") AS found"


def is_whole(alias: str, name: str, kind: str) -> str:
    """Return the condition for a value that is a whole number within its bounds, or NULL (K63)."""
    column = f"coalesce({alias}{name}, 0)"
    fraction = f" AND {column} = trunc({column})" if kind.startswith("numeric") else ""
    return f"{column} BETWEEN {LEAST} AND {LATEST}{fraction}"


def claiming(text: str) -> str:
    """Return a statement of `Ready.records` that locks what it finds, and passes over what others have locked."""
    return f"{text.removesuffix(_FOUND)} FOR UPDATE OF t SKIP LOCKED{_FOUND}"


class Ready:
    """The expressions for one table, by the types of its columns."""

    def __init__(self, table: str, columns: Mapping[str, UsableColumn]) -> None:
        self._table = table
        self.doubtful = {name: columns[name].kind for name in INTEGERS if columns[name].kind not in _ALWAYS_WHOLE}

    def whole(self, alias: str) -> str:
        """Return the condition for a record whose integer columns have whole numbers within their bounds (K63)."""
        return " AND ".join(is_whole(alias, name, kind) for name, kind in self.doubtful.items()) or "true"

    def ready(self, alias: str) -> str:
        """Return the condition for a record that may be handed out, were it due; NULL is read as K11 says."""
        return (
            f"coalesce({alias}record_status, 0) IN (0, 1) AND coalesce({alias}record_type, 0) <> 7"
            f" AND {given(f'{alias}record_id')} AND {alias}contact_info <> '' AND {self.whole(alias)}"
        )

    def index(self) -> tuple[str, str]:
        """Return columns and condition of the index."""
        parts = (campaign(""), _agent(""), _window(""), unscheduled(""), order(""))
        listed = ", ".join((*(f"({each})" for each in parts), "record_id", "daily_from", "daily_till"))
        return listed, self.ready("")

    def windows(self) -> str:
        """Return the statement for the windows of ready records; its parameter is a JSON list of (campaign, agent)."""
        following = (
            f"SELECT {_window('x.')} AS found FROM {self._table} AS x WHERE {self.ready('x.')}"
            f' AND {campaign("x.")} = w.campaign AND {_agent("x.")} = w.agent AND {_window("x.")} > w."window"'
            f" ORDER BY {_window('x.')} LIMIT 1"
        )
        return (
            'WITH RECURSIVE w(campaign, agent, "window") AS ('
            "SELECT (value->>0)::bigint, value->>1, '' COLLATE \"C\" FROM jsonb_array_elements(?::jsonb)"
            f" UNION ALL SELECT w.campaign, w.agent, n.found FROM w CROSS JOIN LATERAL ({following}) AS n)"
            ' SELECT campaign, agent, "window" FROM w WHERE "window" <> \'\''
        )

    def waiting_agents(self) -> str:
        """Return the statement for agents with records; `:campaigns` is a JSON list, `:after` and `:limit` a slice."""
        following = (
            f"SELECT {_agent('x.')} AS found FROM {self._table} AS x WHERE {self.ready('x.')}"
            f" AND {campaign('x.')} = w.campaign AND {_agent('x.')} > w.agent ORDER BY {_agent('x.')} LIMIT 1"
        )
        # Of each campaign the first ones, or else a recursion would go through all of them.
        return (
            "WITH RECURSIVE w(campaign, agent, place) AS ("
            'SELECT value::bigint, :after::text COLLATE "C", 0 FROM jsonb_array_elements_text(:campaigns::jsonb)'
            f" UNION ALL SELECT w.campaign, n.found, w.place + 1 FROM w CROSS JOIN LATERAL ({following}) AS n"
            " WHERE w.place < :limit)"
            " SELECT agent FROM w WHERE place > 0 GROUP BY agent ORDER BY agent LIMIT :limit"
        )

    def records(self, columns: str, *, may_lack_chain: bool, but_some: bool = False) -> str:
        """Return the statement for the first ready records of windows, each with the place of its key.

        Parameters: `:keys`, a JSON list of (campaign, agent, window, unscheduled, latest order, time of day), and
        `:limit` for each. With `but_some` records of the JSON list `:but` are passed over. `columns` are those of a
        record, with the alias `t`. If a row `may_lack_chain`, its record id stands for it (K11).
        """
        moment = "(k.value->>5)::bigint"
        chain = "coalesce(t.chain_id, t.record_id)" if may_lack_chain else "t.chain_id"
        free = f"NOT EXISTS (SELECT 1 FROM {self._table} AS y WHERE y.chain_id = {chain} AND y.record_status = 2)"
        if may_lack_chain:
            free += (
                f" AND NOT EXISTS (SELECT 1 FROM {self._table} AS y"
                f" WHERE y.record_id = {chain} AND y.chain_id IS NULL AND y.record_status = 2)"
            )
        if but_some:
            free += " AND t.record_id <> ALL(ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(:but::jsonb)))"
        first = (
            f"SELECT {columns} FROM {self._table} AS t WHERE {self.ready('t.')}"
            f" AND {campaign('t.')} = (k.value->>0)::bigint AND {_agent('t.')} = k.value->>1"
            f" AND {_window('t.')} = k.value->>2 AND {unscheduled('t.')} = (k.value->>3)::integer"
            f" AND {order('t.')} <= (k.value->>4)::bigint AND {is_open('t.', moment)} AND {free}"
            f" ORDER BY {order('t.')}, t.record_id LIMIT :limit"
        )
        return (
            "SELECT k.place - 1, found.* FROM jsonb_array_elements(:keys::jsonb) WITH ORDINALITY AS k(value, place)"
            f" CROSS JOIN LATERAL ({first}{_FOUND}"
        )


def _agent(alias: str) -> str:
    """Return the agent of a personal callback, an empty text for a record for anyone (H201)."""
    return (
        f"(CASE WHEN {alias}record_type IN (4, 5) THEN coalesce({alias}agent_id::text, '') ELSE '' END) COLLATE \"C\""
    )


def _window(alias: str) -> str:
    """Return what `Window` has behind the agent as one text, so that an index can be skipped through."""
    begin, end = f"coalesce({alias}daily_from, 0)::bigint", f"coalesce({alias}daily_till, 86399)::bigint"
    shape = (
        f"CASE WHEN {begin} < {end} THEN {WITHIN_A_DAY} WHEN {begin} > {end} THEN {OVER_MIDNIGHT} ELSE {WHOLE_DAY} END"
    )
    classes = " ".join(f"WHEN {kind} THEN {priority}" for kind, priority in PRIORITY_CLASSES.items())
    parts = (
        f"coalesce({alias}tz_dbid, 0)::bigint",
        f"({shape})",
        f"(CASE WHEN {begin} = {end} THEN 0 ELSE {begin} / {SLOT} END)",
        f"(CASE WHEN {begin} = {end} THEN 0 ELSE ({end} + {SLOT - 1}) / {SLOT} END)",
        f"(CASE {alias}record_type {classes} ELSE 0 END)",
    )
    return "(" + " || ' ' || ".join(f"{each}::text" for each in parts) + ') COLLATE "C"'
