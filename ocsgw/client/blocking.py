"""The client for programs without Twisted: methods that wait for their answer."""

import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Sequence

from ocsgw.client.answers import (
    Answer,
    NotConnectedError,
    OcsClientError,
    OutcomeUnknownError,
    RefusedError,
    answer_of,
)
from ocsgw.client.requests import Requests
from ocsgw.client.session import FRAME_LIMIT, REFUSALS, hello_of
from ocsgw.protocol.messages import KV, Bye, Event, Message, Ping, Pong, Request, Welcome, encode
from ocsgw.protocol.session import ClientSession, WireError

Address = tuple[str, int]

_READ = 65536
# Between attempts to connect, in seconds.
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 10.0
# Without a byte of OCS for so many heartbeats the connection is lost (P88).
_SILENT_HEARTBEATS = 3


class _Waiting:
    """A request without its final event; `outcome` is put there once."""

    def __init__(self) -> None:
        self.parts: list[KV] = []
        self.outcome: queue.SimpleQueue[Answer | OcsClientError] = queue.SimpleQueue()


class BlockingClient(Requests[Answer]):
    """A client of OCS whose requests return their `Answer` or raise an `OcsClientError`.

    A thread of its own keeps the connection: it answers heartbeats, reads, and connects again when the connection is
    lost. Requests may be sent from several threads. `addresses` are host and port of the server, of a pair both;
    `tls` is a context for TLS. Use it in a `with` block, or `close` it.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        agent_id: str | None = None,
        key: str | None = None,
        tenant: str | None = None,
        name: str | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 30.0,
    ) -> None:
        if not addresses:
            raise ValueError("name at least one address")
        self._hello = hello_of(agent_id, key, tenant, name)
        self._addresses = list(addresses)
        self._tls = tls
        self._timeout = timeout
        self._events: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        # Everything below is guarded by the condition.
        self._changed = threading.Condition()
        self._ready = False
        self._closing = False
        self._refused: RefusedError | None = None
        # Seconds without a sign of life after which the connection is given up.
        self._silence = timeout
        self._next_ref = 1
        self._waiting: dict[int, _Waiting] = {}
        self._unsent = bytearray()
        # Whoever has something to send wakes the thread by a byte; the thread alone touches the connection, for a
        # connection with TLS must not be read and written at the same time.
        self._wake, self._woken = socket.socketpair()
        self._wake.settimeout(0)
        self._woken.settimeout(0)
        self._thread = threading.Thread(target=self._run, name="ocsgw-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> "BlockingClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye and end the thread."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        self._write(Bye(code="done"))
        self._thread.join()
        self._wake.close()
        self._woken.close()

    def request(self, name: str, keys: KV, *, idempotency_key: str | None = None) -> Answer:
        """Send a request by its name and return its answer. Raises an `OcsClientError`."""
        deadline = time.monotonic() + self._timeout
        waiting = _Waiting()
        ref = self._open_request(waiting, deadline)
        left = max(0.0, deadline - time.monotonic())
        data: KV = {"GSW_AGENT_REQ_TYPE": name, **keys}
        try:
            self._write(Request(ref=ref, data=data, deadline_ms=int(left * 1000), idempotency_key=idempotency_key))
            outcome = waiting.outcome.get(timeout=left)
        except queue.Empty:
            raise OutcomeUnknownError(f"no answer came within {self._timeout:g} s") from None
        finally:
            with self._changed:
                self._waiting.pop(ref, None)
        if isinstance(outcome, OcsClientError):
            raise outcome
        return outcome

    def next_event(self, timeout: float | None = None) -> Answer | None:
        """Return the next event that OCS sent by itself; None if none comes within `timeout` seconds."""
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    # The thread.

    def _run(self) -> None:
        delay = _FIRST_DELAY
        while not self._closing and self._refused is None:
            reason = "the client was closed"
            try:
                with self._connect() as connection:
                    self._talk(connection)
            except (OSError, WireError) as error:
                reason = str(error)
                # The other server of a pair, if there is one.
                self._addresses.append(self._addresses.pop(0))
            with self._changed:
                delay = _FIRST_DELAY if self._ready else min(delay * 2, _LONGEST_DELAY)
                self._lose(reason)
                if not self._closing and self._refused is None:
                    self._changed.wait(delay)

    def _connect(self) -> socket.socket:
        host, port = self._addresses[0]
        connection = socket.create_connection((host, port), timeout=self._timeout)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_hostname=host)
            connection.settimeout(0)
        except BaseException:
            connection.close()
            raise
        return connection

    def _talk(self, connection: socket.socket) -> None:
        """Read and write until the connection ends."""
        session = ClientSession(self._hello.client, FRAME_LIMIT)
        self._silence = self._timeout
        with self._changed:
            self._unsent[:] = encode(self._hello)
        heard = time.monotonic()
        while True:
            data = self._read(connection)
            if data == b"":
                return
            if data is not None:
                heard = time.monotonic()
                for message in session.receive(data):
                    self._take(message)
                continue
            if time.monotonic() - heard > self._silence:
                raise WireError("protocol_error", "OCS does not answer")
            self._send_some(connection)
            if self._closing and not self._unsent:
                return
            writing = [connection] if self._unsent else []
            select.select([connection, self._woken], writing, [], self._silence / 2)
            try:
                self._woken.recv(_READ)
            except BlockingIOError:
                continue

    @staticmethod
    def _read(connection: socket.socket) -> bytes | None:
        """Return what has come, None if nothing has."""
        try:
            return connection.recv(_READ)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def _send_some(self, connection: socket.socket) -> None:
        with self._changed:
            data = bytes(self._unsent[:_READ])
        if not data:
            return
        try:
            sent = connection.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        with self._changed:
            del self._unsent[:sent]

    def _take(self, message: Message) -> None:
        if isinstance(message, Ping):
            self._write(Pong(ref=message.ref))
        elif isinstance(message, Event):
            self._take_event(message)
        elif isinstance(message, Welcome):
            # OCS asks for a sign of life after each heartbeat; nothing for so long means that it is gone.
            self._silence = _SILENT_HEARTBEATS * message.limits.heartbeat_ms / 1000
            with self._changed:
                self._ready = True
                self._changed.notify_all()
        elif isinstance(message, Bye):
            if message.code in REFUSALS:
                with self._changed:
                    self._refused = RefusedError(message.code, message.text or "")
            raise WireError("refused", f"OCS said goodbye: {message.text or message.code}")

    def _take_event(self, event: Event) -> None:
        if event.ref is None:
            self._events.put(Answer(event.data))
            return
        with self._changed:
            waiting = self._waiting.get(event.ref)
        if waiting is None:
            return
        if event.more:
            waiting.parts.append(event.data)
            return
        try:
            waiting.outcome.put(answer_of(event, tuple(waiting.parts)))
        except OcsClientError as error:
            waiting.outcome.put(error)

    def _lose(self, reason: str) -> None:
        self._ready = False
        self._unsent.clear()
        waiting, self._waiting = self._waiting, {}
        self._changed.notify_all()
        for each in waiting.values():
            each.outcome.put(OutcomeUnknownError(f"the connection to OCS was lost: {reason}"))

    # For the callers.

    def _open_request(self, waiting: _Waiting, deadline: float) -> int:
        """Wait for a connection that is ready, and return the number of a new request on it."""

        def settled() -> bool:
            return self._ready or self._closing or self._refused is not None

        with self._changed:
            self._changed.wait_for(settled, max(0.0, deadline - time.monotonic()))
            if self._refused is not None:
                raise self._refused
            if self._closing or not self._ready:
                raise NotConnectedError("there is no connection to OCS; nothing was sent")
            ref, self._next_ref = self._next_ref, self._next_ref + 1
            self._waiting[ref] = waiting
            return ref

    def _write(self, message: Message) -> None:
        with self._changed:
            self._unsent += encode(message)
        try:
            self._wake.send(b"\0")
        except BlockingIOError:
            # It has been woken often enough.
            return
