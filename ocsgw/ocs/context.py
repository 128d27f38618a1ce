"""What the parts of a running OCS share: the configuration in force, and what it was started with."""

import time
from dataclasses import dataclass, field
from typing import Any

from ocsgw.catalog import directory_of
from ocsgw.clock import WallClock
from ocsgw.config import Config
from ocsgw.contact.directory import Directory
from ocsgw.logs import LogFile
from ocsgw.ocs.access_log import AccessLog


@dataclass(eq=False)
class OCSContext:
    """What is in force in this process; only a reload changes it.

    `reactor` is IReactorTime, IReactorProcess, IReactorSocket and IReactorFromThreads. `directory` is what the rules
    look things up in, `wall_clock` the clock of this machine, or one that stands for it; with `follows_store` the rules
    go by that of a store which has its own (R56). `started_with` is the configuration of the start: some of it counts
    until the next one (C68).
    """

    config: Config
    reactor: Any
    log_file: LogFile
    wall_clock: WallClock = time.time
    follows_store: bool = False
    access_log: AccessLog = field(init=False)
    started_with: Config = field(init=False)
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        self.started_with = self.config
        self.access_log = AccessLog(self.config)
        self.directory = self.directory_of(self.config, None)

    def directory_of(self, config: Config, before: Directory | None) -> Directory:
        """Return the directory of a configuration that follows on `before`; the DBID is that of the start (C68)."""
        return directory_of(config, self.started_with.application.dbid, before)
