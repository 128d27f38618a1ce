"""Who holds a TCP port of this machine, as far as the system shows it (R24)."""

import ipaddress
import os
import sys
from dataclasses import dataclass

_LISTEN = "0A"
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


@dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket: its address as the system writes it, and its inode."""

    address: str
    inode: str

    def overlaps(self, other: "Listening") -> bool:
        """Whether both can be asked for the same connection: equal addresses, or one of them is any address."""
        return self.address == other.address or not (self.address.strip("0") and other.address.strip("0"))


def holder_of(interface: str, port: int) -> str | None:
    """Return a few words about who listens on `port` so that an IP address cannot have it; None if nobody is found."""
    wanted = Listening(_kernel_form(interface), "")
    inodes = {each.inode for each in listening_on(port) if each.overlaps(wanted)}
    if not inodes:
        return None
    for pid in _processes():
        if not inodes.isdisjoint(sockets_of(pid)):
            return described(pid)
    return "a process of another user"


def _kernel_form(interface: str) -> str:
    """Return an IP address as the system writes it: each word of 32 bits in the order of the machine, in hex."""
    packed = ipaddress.ip_address(interface).packed
    words = (int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
    return "".join(f"{word:08X}" for word in words)


def strangers_beside(port: int, inode: int, parent: int) -> str | None:
    """Return who else shares `port` with the listening socket `inode`, None if only children of `parent` do.

    Where the system does not say who listens, nobody is taken for a stranger.
    """
    listening = listening_on(port)
    ours = next((each for each in listening if each.inode == str(inode)), None)
    if ours is None:
        return None
    others = {each.inode for each in listening if each is not ours and each.overlaps(ours)}
    for pid in _processes():
        held = others & sockets_of(pid)
        if held and _parent_of(pid) != parent:
            return described(pid)
        others -= held
    return "a process of another user" if others else None


def listening_on(port: int) -> list[Listening]:
    """Return the sockets that listen on `port`."""
    found = []
    for table in _TABLES:
        try:
            with open(table, encoding="ascii") as lines:
                rows = [line.split() for line in lines][1:]
        except OSError:
            continue
        for row in rows:
            address, _, number = row[1].rpartition(":")
            if row[3] == _LISTEN and int(number, 16) == port:
                found.append(Listening(address, row[9]))
    return found


def sockets_of(pid: int) -> set[str]:
    """Return the inodes of the sockets that a process has open; none if it may not be asked."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return set()
    targets = (_target(f"{folder}/{name}") for name in names)
    return {target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")}


def described(pid: int) -> str:
    """Return a process in words."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="backslashreplace") as name:
            return f"process {pid} ({name.read().strip()})"
    except OSError:
        return f"process {pid} (unknown)"


def _processes() -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []


def _parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="backslashreplace") as line:
            return int(line.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        # Closed since the folder was read.
        return ""
