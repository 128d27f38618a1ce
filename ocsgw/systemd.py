"""A service manager, as systemd: reports to it, and what it asks for; see sd_notify(3) and sd_watchdog_enabled(3)."""

import os
import socket
from collections.abc import Mapping


class ServiceManager:
    """The manager that `environment` names; without one nothing is reported.

    `watchdog` is the time in seconds after which the manager restarts a service that it has not heard of, None if it
    does not watch the process `pid`.
    """

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A name in the abstract name space is written with an at sign.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog = _watchdog(environment, pid)

    def tell(self, **states: object) -> None:
        """Report states by their names in sd_notify(3); a manager that does not listen is ignored."""
        if not self._address:
            return
        message = "\n".join(f"{name}={value}" for name, value in states.items()).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as notify:
            try:
                notify.sendto(message, self._address)
            except OSError:
                return


def _watchdog(environment: Mapping[str, str], pid: int) -> float | None:
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    return int(microseconds) / 1_000_000 if environment.get("WATCHDOG_PID", str(pid)) == str(pid) else None


def is_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Whether what is written to `descriptor` goes to the journal, see systemd.exec(5), JOURNAL_STREAM."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
