"""`ocsgw sandbox`: a server for tests in the foreground."""

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any


def run_sandbox(config: Path | None, port: int, *, as_json: bool, until_eof: bool) -> int:
    """Run until SIGTERM or SIGINT, or until standard input ends; return the exit status.

    Prints one line when it serves: for people, or as JSON with `url`, `direct` and `pid`.
    """
    from twisted.internet import reactor as global_reactor
    from twisted.logger import globalLogBeginner

    from ocsgw.clock import use_monotonic_time
    from ocsgw.config import ConfigurationError
    from ocsgw.logs import LogFile
    from ocsgw.sandbox.service import Sandbox, configuration_in

    reactor: Any = global_reactor
    use_monotonic_time(reactor)
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        reactor.callFromThread(reactor.stop)

    def ready(url: str) -> None:
        if as_json:
            sys.stdout.write(json.dumps(sandbox.describe()) + "\n")
        else:
            sys.stdout.write(
                f"Sandbox ready on {url} (clock, faults and traffic: {url}/_sandbox/)\n"
                f"Try: curl -s -X POST '{url}/lists/CL_Test?req=AddRecord' -d '{{\"GSW_PHONE\":\"6505550100\"}}'\n"
            )
        sys.stdout.flush()

    folder = Path(tempfile.mkdtemp(prefix="ocsgw-sandbox-"))
    try:
        try:
            settings = configuration_in(folder, config)
        except ConfigurationError as error:
            sys.stderr.write(f"{error}\n")
            return 78
        log_file = LogFile("stdout", settings.log.format, settings.log.level, settings.application.name, journal=False)
        globalLogBeginner.beginLoggingTo([log_file], redirectStandardIO=False)
        sandbox = Sandbox(settings, reactor, log_file, end, ready, time.time, port)
        reactor.callWhenRunning(sandbox.startService)
        reactor.addSystemEventTrigger("before", "shutdown", sandbox.stopService)
        if until_eof:
            threading.Thread(target=_stop_at_eof, args=(reactor,), daemon=True).start()
        reactor.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return statuses[0] if statuses else 0


def _stop_at_eof(reactor: Any) -> None:
    """Whoever started us is gone when its end of our standard input is closed."""
    while os.read(0, 4096):
        continue
    reactor.callFromThread(reactor.stop)
