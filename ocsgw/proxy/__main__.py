"""The HTTP Proxy process: started by OCS with the link as file descriptor 3, never by hand (R12, C77)."""

import gc
import os
import signal
import socket
import stat
import sys
from typing import Any

LINK_DESCRIPTOR = 3
EXIT_USAGE = 64
# Seconds after which everything is loaded, and those who have waited for the port have been answered.
_SETTLE_AFTER = 1.0


def has_link() -> bool:
    """Whether file descriptor 3 is a connected socket, as only OCS provides it (P65)."""
    try:
        if not stat.S_ISSOCK(os.fstat(LINK_DESCRIPTOR).st_mode):
            return False
        with socket.socket(fileno=os.dup(LINK_DESCRIPTOR)) as link:
            link.getpeername()
            return link.family == socket.AF_UNIX
    except OSError:
        return False


def main() -> int:
    """Run until the link ends; return the exit status (configuration.md section 15)."""
    if not has_link():
        sys.stderr.write(
            "ocsgw.proxy is started by the OCS process, which hands it its link; run 'ocsgw run' instead.\n"
        )
        return EXIT_USAGE

    # Clients wait for the port: nothing that is loaded here becomes garbage, and the collector would look for it again
    # and again.
    gc.disable()

    import inspect

    from ocsgw.light_imports import load_when_used, with_stand_in, without

    # Twisted's table of old names mentions the first, which brings clients for HTTP and mail along; the second is for
    # what a client got wrong.
    for rare in ("http.cookiejar", "difflib"):
        load_when_used(rare)
    # Twisted offers its Deferreds as futures of asyncio: of that large package it needs two names for annotations, and
    # whether something is a coroutine. Our TLS is not the one of `ssl`.
    asyncio = with_stand_in("asyncio", AbstractEventLoop=object, Future=object, iscoroutine=inspect.iscoroutine)
    with without("ssl"), asyncio:
        from ocsgw.quick_reactor import install_quick_reactor

        install_quick_reactor()

    from twisted.internet import reactor as global_reactor
    from twisted.logger import globalLogBeginner

    from ocsgw.clock import use_monotonic_time
    from ocsgw.proxy.app import ProxyApplication
    from ocsgw.resources import raise_descriptor_limit, settle_memory, take_brief_turns

    reactor: Any = global_reactor
    use_monotonic_time(reactor)
    statuses: list[int] = []

    def finish(status: int) -> None:
        statuses.append(status)
        reactor.callFromThread(reactor.stop)

    application = ProxyApplication(reactor, finish, descriptors=raise_descriptor_limit())
    globalLogBeginner.beginLoggingTo([application.shipper], redirectStandardIO=False)
    # A terminal or a service manager signals the whole group; only OCS decides (C78).
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(application.terminate))
    # On the core that it shares with OCS it passes an answer on before OCS tidies up behind it.
    take_brief_turns()
    application.adopt_link(LINK_DESCRIPTOR)
    reactor.callLater(_SETTLE_AFTER, settle_memory)
    reactor.run(installSignalHandlers=False)
    return statuses[0] if statuses else 1


if __name__ == "__main__":
    sys.exit(main())
