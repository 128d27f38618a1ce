"""Who holds a TCP port of this machine, as far as the system tells (for the log, R24)."""

import os

_LISTEN = "0A"
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def holder_of(port: int) -> str:
    """Return a few words about the process that listens on `port`; words without a name if it cannot be told."""
    inodes = set()
    for table in _TABLES:
        inodes |= _listening_inodes(table, port)
    if not inodes:
        return "nobody listens on it any more"
    for pid in _processes():
        if _holds(pid, inodes):
            return f"held by process {pid} ({_name(pid)})"
    return "held by a process of another user"


def _listening_inodes(table: str, port: int) -> set[str]:
    try:
        with open(table, encoding="ascii") as lines:
            rows = [line.split() for line in lines][1:]
    except OSError:
        return set()
    return {row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port}


def _processes() -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []


def _holds(pid: int, inodes: set[str]) -> bool:
    folder = f"/proc/{pid}/fd"
    sockets = {f"socket:[{inode}]" for inode in inodes}
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    return any(_target(f"{folder}/{name}") in sockets for name in names)


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        # Closed since the folder was read.
        return ""


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="backslashreplace") as name:
            return name.read().strip()
    except OSError:
        return "unknown"
