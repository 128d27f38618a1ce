"""Whether a server with a configuration can read and write where it has to, seen before it starts."""

import os
import pwd
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from ocsgw.config import Check, Config

KeyPath = tuple[str | int, ...]
Report = Callable[[KeyPath, str, str], None]


class Trouble(NamedTuple):
    """What hinders the server: the key that names the place, what is wrong, and what to do."""

    key: KeyPath
    message: str
    hint: str


def check_log(config: Config, report: Report) -> None:
    """Report a log file that the server will not be able to write."""
    for trouble in _log_troubles(config):
        report(*trouble)


def check_pair(config: Config, report: Report) -> None:
    """Report what two servers of a pair would share and must not, and what they cannot have."""
    if not config.ha.enabled:
        return
    if config.store.file is not None and config.application.state_dir == os.path.dirname(config.store.file):
        report(
            ("ha", "enabled"),
            "a pair uses one store, and each of its servers needs a state directory of its own",
            "set [application] state_dir to another folder than that of the store, on each server to a different one",
        )
    if config.audit.enabled:
        # The store knows the end of one audit log, and each server would write its own.
        report(
            ("audit", "enabled"),
            "an audit log is not available with a pair of servers in this version",
            "set it to false, or set [ha] enabled = false",
        )


def check_user(name: str) -> Check:
    """Return a check that reports what a user, as the one of the service, cannot read or write."""

    def check(config: Config, report: Report) -> None:
        for trouble in _troubles_of_user(config, name):
            report(*trouble)

    return check


def _troubles_of_user(config: Config, name: str) -> list[Trouble]:
    """Return what a user cannot read or write.

    A child process becomes that user for a moment, so that groups, access lists and mount options count as they will.
    """
    user = pwd.getpwnam(name)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        status = 1
        try:
            if user.pw_uid != os.geteuid():
                os.initgroups(name, user.pw_gid)
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
            with open(writing, "wb") as stream:
                stream.write(msgspec.json.encode(list(_all_troubles(config, name))))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, "rb") as stream:
        answer = stream.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        return [Trouble((), f"cannot become the user {name} to see what it may read", "run this command as root")]
    return [Trouble(*found) for found in msgspec.json.decode(answer, type=list[Trouble])]


def _all_troubles(config: Config, name: str) -> Iterator[Trouble]:
    """Yield what the user of this process cannot read or write."""
    if not os.access(config.path, os.R_OK):
        yield _unreadable((), config.path, name)
    for key, file in config.files:
        if not os.access(file, os.R_OK):
            yield _unreadable(key, file, name)
    yield from _log_troubles(config, f"the user {name}")
    # The server makes these folders where they do not exist, in the nearest one that does.
    folders: dict[str, KeyPath] = {_nearest(config.application.state_dir): ("application", "state_dir")}
    if config.audit.enabled:
        folders[_nearest(os.path.dirname(config.audit.file))] = ("audit", "file")
    if config.store.file is not None:
        folders[_nearest(os.path.dirname(config.store.file))] = ("store", "url")
        if os.path.exists(config.store.file):
            yield from _writing(("store", "url"), config.store.file, f"the user {name}")
    for folder, key in folders.items():
        if not os.access(folder, os.W_OK | os.X_OK):
            yield Trouble(key, f"the user {name} cannot write into {folder}", f"chown {name} {folder}")


def _unreadable(key: KeyPath, file: str, name: str) -> Trouble:
    return Trouble(
        key,
        f"the user {name} cannot read {file}",
        f"chgrp {name} and chmod g+r {file}; its folders need x for that user",
    )


def _log_troubles(config: Config, who: str = "this user") -> Iterator[Trouble]:
    if config.log.target != "stdout":
        yield from _writing(("log", "target"), config.log.target, who)
    if config.log.access is not None:
        yield from _writing(("log", "access"), config.log.access, who)


def _writing(key: KeyPath, file: str, who: str) -> Iterator[Trouble]:
    """Yield why a file cannot be written, or made in its folder."""
    folder = os.path.dirname(file)
    try:
        mode = os.stat(file).st_mode
    except OSError:
        if not os.path.isdir(folder):
            yield Trouble(key, f"there is no folder {folder}", f"make it with: mkdir -p {folder}")
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield Trouble(key, f"{who} cannot make a file in {folder}", "give it write permission there")
        return
    if stat.S_ISDIR(mode):
        yield Trouble(key, f"{file} is a folder", "name a file in it")
    elif not os.access(file, os.W_OK):
        yield Trouble(key, f"{who} cannot write {file}", "give it write permission there")


def _nearest(folder: str) -> str:
    """Return a folder, or the nearest of those around it that exists: the server makes the rest."""
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder
