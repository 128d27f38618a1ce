"""A server that is there and does not answer must not hold ours for ever.

The driver waits for an answer without a limit, and a network that is fine says nothing of a frozen database. So whoever
waits for long has the server asked in another way; if that is not answered either, the connection is cut, which ends
the waiting with an error.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable

_EVERY = 0.5


class Watchdog:
    """Looks after one connection at a time, in a thread of its own that begins with the first one.

    After `patience` seconds `is_alive`, which takes its time, says whether the server answers at all.
    """

    def __init__(self, is_alive: Callable[[], bool], patience: float, clock: Callable[[], float]) -> None:
        self._is_alive = is_alive
        self._patience = patience
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._descriptor: int | None = None
        self._number = 0
        self._until = 0.0

    def watch(self, descriptor: int) -> None:
        """Look after the socket with this descriptor from now on."""
        with self._lock:
            self._descriptor = descriptor
            self._number += 1
            self._until = self._clock() + self._patience
            if self._thread is None:
                self._stopped.clear()
                self._thread = threading.Thread(target=self._work, args=(self._stopped,), name="watchdog", daemon=True)
                self._thread.start()

    def rest(self) -> None:
        """Look after nothing; to be called before the connection is closed."""
        with self._lock:
            self._descriptor = None

    def stop(self) -> None:
        """End the thread soon; `watch` begins another one."""
        with self._lock:
            self._descriptor, self._thread = None, None
            self._stopped.set()
            self._stopped = threading.Event()

    def _work(self, stopped: threading.Event) -> None:
        while not stopped.wait(_EVERY):
            self.look()

    def look(self) -> None:
        """Cut the connection if it has waited for too long and the server does not answer."""
        with self._lock:
            number, late = self._number, self._descriptor is not None and self._clock() >= self._until
        if not late:
            return
        is_alive = self._is_alive()
        with self._lock:
            if self._descriptor is None or self._number != number:
                return
            if is_alive:
                self._until = self._clock() + self._patience
                return
            self._number += 1
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._descriptor)) as cut:
                cut.shutdown(socket.SHUT_RDWR)
