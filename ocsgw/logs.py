"""The log: numbered messages, levels, line forms, and what must not be read in it (constants.md section 8).

Loggers emit with a format and fields, never with text of others as the format. A numbered message is emitted with
`say(log, number, ...)`; its level and text stand in one table.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent
from zope.interface import implementer

from ocsgw.log_output import LogOutput, open_for_lines

Level = Literal["debug", "trace", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "trace", "info", "warning", "error")

# Number -> level, text. Numbers keep their meaning for ever (K60).
MESSAGES: Mapping[int, tuple[Level, str]] = MappingProxyType(
    {
        52000: ("trace", "Campaign Group {group} has been loaded"),
        52001: ("trace", "Campaign Group {group} has been started"),
        52002: ("trace", "Campaign Group {group} has been stopped"),
        52003: ("trace", "Campaign Group {group} has been force unloaded"),
        52004: ("trace", "Campaign Group {group} has been unloaded"),
        81000: ("trace", "Status notification CampaignGroupState of campaign group {group} sent to {uri}"),
        81001: ("trace", "Periodic status notification CampaignGroupState of campaign group {group} sent to {uri}"),
        93001: ("info", "HTTP Proxy of listener {listener} started, process id {pid}"),
        93002: ("info", "HTTP Proxy of listener {listener} is ready on {url}"),
        93003: ("error", "HTTP Proxy of listener {listener} cannot open its port: {reason}"),
        93004: (
            "warning",
            "HTTP Proxy of listener {listener} terminated unexpectedly, {ending}; next start in {delay:g} s",
        ),
        93005: ("info", "HTTP Proxy of listener {listener} stopped"),
        93006: ("error", "Connection between OCS and HTTP Proxy of listener {listener} lost: {reason}"),
        93007: ("warning", "{count} log messages of HTTP Proxy of listener {listener} were dropped"),
        93008: ("info", "Unknown custom key {key} in calling list {calling_list}"),
        93009: ("info", "The alias {alias} of request {request} is used"),
        93010: ("warning", "Pre-dial validation by {uri} failed: {reason}"),
        93011: ("info", "Switched to primary"),
        93012: ("info", "Switched to backup"),
        93013: ("info", "Configuration reloaded"),
        93014: ("error", "Configuration not reloaded: {reasons}"),
        93015: ("info", "HTTP listener {listener} changed; takes effect with the next HTTP Proxy"),
        93016: ("info", "HTTP listener {listener} removed; HTTP ends"),
        93017: ("info", "{count} records returned to Ready after record_timeout"),
        93018: (
            "info",
            "{count} personal callbacks got call result 47, because their agents did not take them",
        ),
        93019: (
            "warning",
            (
                "Calling list {calling_list}: {count} rows have something else than a whole number in the column"
                " {column}; they are not handed out until that is corrected"
            ),
        ),
        93030: ("info", "OCS {version} starts with {path}, process id {pid}"),
        93031: ("info", "OCS stopped"),
        93032: ("error", "OCS is shutting down: {reason}"),
        93033: ("error", "The store failed: {reason}; requests get 503 until it works again"),
        93034: ("info", "The store works again"),
        93035: ("warning", "{key} has changed; it takes effect with the next start of OCS"),
        93036: (
            "error",
            "The control socket {path} cannot be opened: {reason}; ocsctl will not reach this server",
        ),
        93037: ("warning", "{count} log messages were dropped: {reason}"),
        93038: ("info", "The log was opened again"),
        93039: ("error", "The log cannot be opened again: {reason}; the old file is still in use"),
        93040: ("warning", "Housekeeping failed and will be tried again: {reason}"),
        93041: (
            "warning",
            "The file descriptor limit allows only {room} of the {wanted} configured connections; raise LimitNOFILE",
        ),
        93100: ("error", "Closing the connection to {peer}: it is not reading; {size} bytes queued"),
        93101: ("error", "Settings cannot be sent to {peer}: {reason}"),
        93102: ("error", "The answer to {request}, request id {id}, could not be sent: {reason}"),
        93103: ("warning", "The answer to {request}, request id {id}, was refused as too large: {reason}"),
        93104: ("error", "Closing the connection to {peer}: it broke the protocol: {reason}"),
        93105: ("error", "HTTP Proxy of listener {listener} was not ready after {delay:g} s; terminating it"),
        93106: ("error", "HTTP Proxy cannot use the new settings and keeps the old ones: {reason}"),
        93107: ("error", "HTTP Proxy cannot work, {what}: {reason}"),
        93110: ("error", "A callback failed and was contained: {place} ({context})"),
        93111: ("error", "A request failed and was answered with 500: {request}"),
        93112: (
            "error",
            "Lines are missing at the end of the audit log {path}: it ends with number {last}, the store knows {known}",
        ),
        93113: ("error", "A batch of requests failed as a whole and was rolled back; each got 500"),
        93114: ("error", "The committer failed after {after}; it goes on"),
        93120: ("error", "Calling list {calling_list} is not opened: {reason}"),
        93121: ("warning", "Calling list {calling_list} is used without the columns {columns}"),
        93122: ("warning", "Calling list {calling_list}: {count} rows have no record_id and are skipped"),
        93123: (
            "warning",
            (
                "The tables of the store {file} are brought from schema {old} to {new}; the store as it was is kept in"
                " {copy}"
            ),
        ),
        93124: (
            "error",
            (
                "The file {file} of the store was deleted, cut off, overwritten or replaced while the server runs;"
                " requests get 503. Put the file back, or restart OCS to use what is there now"
            ),
        ),
        93125: (
            "warning",
            (
                "The write-ahead log {file} has grown to {size} MiB: another program keeps an old state of the store in"
                " use; end its read transaction"
            ),
        ),
        93126: (
            "warning",
            (
                "Calling list {calling_list}: record {record} has a value in the column {column} that cannot be read or"
                " is too large to be sent, as others may have; such records are skipped until they are corrected"
            ),
        ),
        93127: (
            "error",
            (
                "Calling list {calling_list} cannot be used: its table {table} was changed while the server runs:"
                " {reason}. Correct the table, then reload"
            ),
        ),
        93128: (
            "warning",
            (
                "Calling list {calling_list}: table {table} has no usable column treatments, so each sequence of"
                " treatments begins anew with every result; add the column as varchar(255) with ALTER TABLE"
            ),
        ),
        93130: ("warning", "The connection to the store was opened again: {reason}"),
        93131: ("warning", "Table {table} does not accept a row: {reason}; the request got 409"),
        93132: ("warning", "The audit log ended with {bytes} bytes of an incomplete line, which were cut off"),
        93133: (
            "warning",
            (
                "{count} entries of the do-not-call table {table} have a contact that cannot be read; they block nobody"
                " until they are corrected"
            ),
        ),
        93140: ("error", "The command {command} of ocsctl failed"),
        93141: ("info", "OCS is {state}"),
        93142: ("error", "OCS failed and is shutting down"),
        93143: ("warning", "Configuration: {warning}"),
        93144: ("warning", "{reason}; trying again for {wait:g} s"),
        93145: ("error", "The part {part} of OCS failed to stop; the others are stopped all the same"),
        93146: ("error", "The part {part} of OCS failed to take the new configuration"),
        93147: ("error", "The audit log cannot be opened again: {reason}; the old file is still in use"),
        93148: ("warning", "{what} in {file} expires within {days} d, on {day}; renew it and reload"),
        93149: ("error", "{what} in {file} expired on {day}; renew it and reload"),
        93150: (
            "warning",
            "A key of [[api_key]] {name} expires at {end} UTC, in {days} days; replace it",
        ),
        93151: (
            "warning",
            "A key of [[api_key]] {name} expired at {end} UTC; remove or replace it",
        ),
        93153: ("warning", "The control socket {path} was removed by another program; it has been made again"),
        93154: ("info", "Housekeeping works again"),
        93155: ("warning", "Stopping at once, as a second signal asks for; requests in flight may get no answer"),
        93156: ("error", "The periodic job {job} failed; it will be tried again"),
        93157: ("warning", "Output of an HTTP Proxy: {text}"),
        93158: (
            "warning",
            (
                "Listener {listener} has no API key and no certificate any more: it serves whoever can connect; add an"
                " [[api_key]] if that is not meant"
            ),
        ),
        93159: (
            "warning",
            (
                "No API key and no certificate is configured: whoever reaches {listeners} from other machines is"
                " served; add an [[api_key]] (ocsgw key create NAME) if that is not meant"
            ),
        ),
        93160: ("warning", "Request of {address} refused: {status} {reason}, principal {principal}"),
        93161: ("warning", "{count} more requests were refused within {window:g} s"),
        93162: ("info", "Unknown member {member} in a body for {request}; did you mean {nearest}?"),
        93163: ("warning", "TLS handshake with {peer} failed: {problem}"),
        93164: ("warning", "{count} more TLS handshakes failed within {window:g} s"),
        93165: (
            "info",
            (
                "No API key and no certificate is configured: every program of this machine is served by {listeners};"
                " ocsgw key create NAME makes a key"
            ),
        ),
        93170: ("warning", "{count} lines of the access log were lost: {reason}"),
        93171: (
            "error",
            "The access log {path} cannot be opened: {reason}; trying again, and lines are lost until it can be",
        ),
        93180: (
            "info",
            "RecordProcessed for handle {handle} of {calling_list} came too late: call result {call_result} {outcome}",
        ),
        93220: ("warning", "This server gives up the lease of the pair: {reason}; requests get 503 here"),
        93221: ("info", "Switch-over asked for: {standby} is to take over"),
        93222: ("warning", "The lease of the store cannot be looked after: {reason}; trying again"),
        93223: ("info", "Primary {name} serves in epoch {epoch}"),
        93224: (
            "error",
            "Another server of the store has the same name {name}; give each a [ha] name of its own",
        ),
        93225: (
            "warning",
            "Configuration differs from that of {primary}, which has the lease: {difference}; make both the same",
        ),
        93226: ("info", "Gateway {name} does the chores of the store"),
        93227: ("info", "Gateway {name} does the chores of the store no longer"),
        93228: ("warning", "The news of other servers of the store cannot be read: {reason}; trying again"),
        93229: (
            "warning",
            (
                "News of other servers of the store have been missed, perhaps: none were read for {seconds} s; desktops"
                " are asked to connect again"
            ),
        ),
        93230: ("info", "OCS listener {listener} is ready on {address}"),
        93231: (
            "error",
            "OCS listener {listener} cannot open port {port}: {reason}; trying again every {delay:g} s",
        ),
        93232: ("warning", "Client {address} of OCS listener {listener} was refused: {code}, {reason}"),
        93233: ("warning", "{count} more clients of OCS listener {listener} were refused within {window:g} s"),
        93234: ("info", "{client} connected to OCS listener {listener}, principal {principal}, session {session}"),
        93235: ("info", "{client} disconnected, session {session}: {reason}"),
        93236: ("warning", "The lease has values that no server writes; it counts as lapsed unless it is renewed"),
        93237: ("warning", "The clock of this machine is {seconds} s {direction} that of the database; correct it"),
        93240: (
            "warning",
            (
                "{uri} has not answered {failures} times in a row; pre-dial validation leaves it in peace for"
                " {pause:g} s, and nothing that it has to validate is handed out"
            ),
        ),
        93241: ("info", "{uri} answers again; pre-dial validation goes on"),
        93242: (
            "warning",
            "A {purpose} notification was not taken: {reason}; it is repeated, and waits in the store meanwhile",
        ),
        93243: ("info", "The receiver of {purpose} notifications takes them again"),
        93244: ("error", "Notifications failed; they go on"),
        93245: ("warning", "A {purpose} notification is dropped: {reason}"),
        93246: (
            "warning",
            (
                "{waiting} call report records wait: nothing is handed out until their receiver takes them, but for"
                " {timeout:g} s at most"
            ),
        ),
        93247: ("info", "{waiting} call report records wait; records are handed out as before"),
        93248: (
            "warning",
            "{waiting} call report records wait, for {timeout:g} s already; records are handed out all the same",
        ),
        93249: (
            "warning",
            (
                "{count} records wait for pre-dial validation, and {uri} is asked about no others: previews of them are"
                " empty; the server is slow, or http_connection_pool_size too small"
            ),
        ),
        93250: (
            "error",
            "Admin listener {listener} cannot open port {port}: {reason}; trying again every {delay} s",
        ),
        93251: ("info", "Admin listener {listener} is ready on {url}"),
        93252: ("warning", "{address} tried to log in to the console with an API key that does not count there"),
        93260: (
            "info",
            "{count} records of calling list {calling_list} were in process without a hand-out and are ready again",
        ),
        93261: ("info", "OCS ends the link of the HTTP Proxy: {code} {text}"),
        93262: ("error", "The periodic job {job} failed {count} more times in the same way: {reason}; it goes on"),
        93263: (
            "error",
            "The records of calling list {calling_list} cannot be counted for the console; it will be tried again",
        ),
    }
)

_TWISTED_LEVELS: Mapping[str, Any] = MappingProxyType(
    {
        "debug": LogLevel.debug,
        "trace": LogLevel.debug,
        "info": LogLevel.info,
        "warning": LogLevel.warn,
        "error": LogLevel.error,
    }
)
_OUR_LEVELS: Mapping[Any, Level] = MappingProxyType(
    {
        LogLevel.debug: "debug",
        LogLevel.info: "info",
        LogLevel.warn: "warning",
        LogLevel.error: "error",
        LogLevel.critical: "error",
    }
)
_OF_TWISTED = frozenset({"log_legacy", "twisted"})
MAX_LINE = 8192


def say(log: Logger, number: int, /, **fields: object) -> None:
    """Log the message `number` of the table with its fields; `log_failure` adds the traceback of a failure."""
    level, text = MESSAGES[number]
    emit(log, level, text, number=number, **fields)


def emit(log: Logger, level: Level, text: str, /, **fields: object) -> None:
    """Log with a level of the classic product, `trace` included."""
    log.emit(_TWISTED_LEVELS[level], text, ocs_level=level, **fields)


def level_of(event: LogEvent) -> Level:
    """Return our level of an event, whoever emitted it."""
    given: Level | None = event.get("ocs_level")
    if given is not None:
        return given
    level = _OUR_LEVELS.get(event.get("log_level"), "info")
    # What Twisted logs about its own ports and loops interests nobody else.
    is_twisted = str(event.get("log_namespace")).partition(".")[0] in _OF_TWISTED
    return "debug" if level == "info" and is_twisted else level


def text_of(event: LogEvent) -> str:
    """Return the text of an event with its traceback, if it has one, in one line."""
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text = f"{text}: {failure.getTraceback(elideFrameworkCode=True)}"
    return one_line(text)


def one_line(text: str) -> str:
    """Return text without anything that could begin a line or move a cursor, cut at `MAX_LINE` (P123)."""
    if len(text) > MAX_LINE:
        text = text[:MAX_LINE] + "..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def mask_contact(contact: str) -> str:
    """Return a contact with only its last two characters shown (R54)."""
    return "*" * max(0, len(contact) - 2) + contact[-2:] if len(contact) > 2 else "*" * len(contact)


def _text_line(when: float, level: Level, number: int, text: str) -> str:
    stamp = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return f"{stamp}Z {level:<7} {number:05d} {text}\n"


def _json_line(when: float, level: Level, number: int, text: str) -> str:
    stamp = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": stamp, "level": level, "number": number, "text": text}, ensure_ascii=False) + "\n"


_CLASSIC_LEVELS = {"error": "Std", "warning": "Std", "info": "Int", "trace": "Trc", "debug": "Dbg"}


def _classic_line(when: float, level: Level, number: int, text: str) -> str:
    stamp = time.strftime("%H:%M:%S", time.localtime(when))
    return f"{stamp}.{int(when * 1000) % 1000:03d} {_CLASSIC_LEVELS[level]} {number:05d} {text}\n"


_FORMS: Mapping[str, Callable[[float, Level, int, str], str]] = MappingProxyType(
    {"text": _text_line, "json": _json_line, "classic": _classic_line}
)
# Levels as the journal knows them, see sd-daemon(3).
_PRIORITIES: Mapping[Level, str] = MappingProxyType(
    {"error": "<3>", "warning": "<4>", "info": "<6>", "trace": "<7>", "debug": "<7>"}
)
STDOUT = 1
_TAIL = 500


@implementer(ILogObserver)
class LogFile:
    """Writes the one log of OCS, line by line, to standard output or a file.

    `target` is "stdout" or a path, `form` one of text, json and classic, `level` the least level that is written;
    `stdout` is the descriptor of standard output, `journal` whether that is the journal. A log that cannot be written
    never stops the server: lines are then kept, later dropped, and counted. Raises `OSError`.
    """

    def __init__(
        self, target: str, form: str, level: Level, application: str, *, stdout: int = STDOUT, journal: bool = False
    ) -> None:
        # The last lines, for whoever looks over its shoulder, and how many there have been.
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self.lines = 0
        self._target = target
        self._application = application
        self._prefixed = journal and target == "stdout"
        self.configure(form, level)
        self._output = LogOutput(stdout) if target == "stdout" else self._open()
        self._begin()

    def configure(self, form: str, level: Level) -> None:
        """Use another form or level from now on (C66)."""
        self._form = form
        self._line = _FORMS[form]
        self._least = LEVELS.index(level)

    def reopen(self) -> None:
        """Open a file target again, as after a rotation. Raises `OSError`; then the old file is still in use."""
        if self._target != "stdout":
            fresh = self._open()
            self._tell_dropped()
            self._output.close()
            self._output = fresh
            self._begin()

    def _open(self) -> LogOutput:
        return LogOutput(open_for_lines(self._target))

    def _begin(self) -> None:
        if self._form == "classic":
            self._output.write(f"Application name: {self._application}\nApplication type: OCServer\n\n")

    def __call__(self, event: LogEvent) -> None:
        """Write an event of twisted.logger."""
        level = level_of(event)
        if self.takes(level):
            self.write(event.get("log_time", time.time()), level, event.get("number", 0), text_of(event))

    def takes(self, level: Level) -> bool:
        """Whether lines of this level are written."""
        return LEVELS.index(level) >= self._least

    def write(self, when: float, level: Level, number: int, text: str) -> None:
        """Write one line; `when` in seconds since 1970 UTC."""
        if self.takes(level):
            self._put(level, self._line(when, level, number, one_line(text)))

    def write_pairs(self, when: float, level: Level, text: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Write a message with its pairs, each in a line of its own that begins with a tab (K62).

        In the JSON form all of it is one object in one line. It is written whatever the least level is: whoever has
        switched the trace on wants to see it.
        """
        lines = [f"\t{one_line(name)}\t{one_line(value)}" for name, value in pairs]
        if self._form == "json":
            self._put(level, self._line(when, level, 0, "\n".join((one_line(text), *lines))))
        else:
            first = self._line(when, level, 0, one_line(text))
            self._put(level, first, *(f"{line}\n" for line in lines))

    def _put(self, level: Level, *lines: str) -> None:
        self.tail.extend(lines)
        self.lines += len(lines)
        self._tell_dropped()
        prefix = _PRIORITIES[level] if self._prefixed else ""
        self._output.write("".join(prefix + line for line in lines))

    def _tell_dropped(self) -> None:
        """Say that messages are missing, before the first one that can be written again."""
        output = self._output
        if output.dropped and output.flush():
            count, output.dropped = output.dropped, 0
            level, text = MESSAGES[93037]
            told = text.format(count=count, reason=output.reason)
            output.write((_PRIORITIES[level] if self._prefixed else "") + self._line(time.time(), level, 93037, told))

    @property
    def dropped(self) -> int:
        """How many messages are missing that have not been reported yet."""
        return self._output.dropped

    def flush(self) -> None:
        """Try again to write what could not be written."""
        self._tell_dropped()
        self._output.flush()

    def close(self) -> None:
        """Write what can be written, and close a file target."""
        self.flush()
        if self._target != "stdout":
            self._output.close()
