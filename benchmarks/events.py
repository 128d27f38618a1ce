"""Event streams: what AddRecord loses while many clients follow it, and what an idle stream costs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.compare import progress
from benchmarks.report import Report, row_of
from benchmarks.runner import Load, Peer, cpu_of, memory_of

_STREAMS, _IDLE = 50, 500
_CONNECTIONS = 32
_SECONDS = 5
_PATIENCE = 20.0
_REQUEST = b"GET /events HTTP/1.1\r\nHost: ocs.example\r\nAccept: text/event-stream\r\n\r\n"


class _Reader(asyncio.Protocol):
    """A client that follows, and counts the bytes that it gets."""

    def __init__(self) -> None:
        self.begun = asyncio.get_running_loop().create_future()
        self.taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for everything."""
        self.transport = transport
        transport.write(_REQUEST)  # type: ignore[attr-defined]  # asyncio gives a Transport

    def data_received(self, data: bytes) -> None:
        """Take events."""
        self.taken += len(data)
        if not self.begun.done():
            self.begun.set_result(data.startswith(b"HTTP/1.1 200"))


def events(report: Report, rounds: int) -> None:
    """Measure AddRecord beside no stream and beside many, and memory and processor time of idle ones."""
    print(f"\nAddRecord with {_STREAMS} event streams open; the ratio is to none in the same round")
    loads: dict[int, list[Load]] = {0: [], _STREAMS: []}
    peer = Peer("ocsgw")
    try:
        peer.start()
        peer.load(_CONNECTIONS, 1, "random")
        # Each is the first one in every other round, for the list grows meanwhile.
        for round_ in range(3 * rounds):
            progress(f"round {round_ + 1} of {3 * rounds}")
            for count in (0, _STREAMS) if round_ % 2 else (_STREAMS, 0):
                loads[count].append(asyncio.run(_beside(peer, count, round_)))
        progress(f"{_IDLE} idle streams")
        memory, cpu = asyncio.run(_idle(peer))
    finally:
        peer.stop()
    progress("")
    what = f"AddRecord, {_STREAMS} streams"
    report.add(row_of("events", what, "no stream", _CONNECTIONS, loads[_STREAMS], loads[0], at_least=0.8))
    cost = row_of("events", what, "no stream", _CONNECTIONS, loads[_STREAMS], loads[0], unit="cpu", at_most=1.5)
    report.add(cost)
    report.figure("memory for each idle stream", memory, f"{'memory for each idle stream':48} {memory:6.2f} KiB")
    report.figure(
        "processor time of idle streams", cpu, f"{f'processor time of {_IDLE} idle streams':48} {cpu:6.2f} % of a core"
    )


@asynccontextmanager
async def _followed(port: int, count: int) -> AsyncIterator[list[_Reader]]:
    loop = asyncio.get_running_loop()
    made = [(await loop.create_connection(_Reader, "127.0.0.1", port))[1] for _ in range(count)]
    try:
        if not all(await asyncio.gather(*(each.begun for each in made))):
            raise RuntimeError("a stream was refused")
        yield made
    finally:
        for each in made:
            each.transport.close()


async def _beside(peer: Peer, count: int, seed: int) -> Load:
    """Return the load of HTTP clients for two seconds beside so many streams, each of which has to show it."""
    # What the last load has left is not for these clients.
    await asyncio.sleep(0.5)
    async with _followed(peer.port, count) as readers:
        load = await asyncio.to_thread(peer.load, _CONNECTIONS, 2, "random", seed)
        # Every client has to get all of it; the load does not wait for them.
        end, before = time.monotonic() + _PATIENCE, [-1]
        while count and len({*before, *(each.taken for each in readers)}) > 1:
            if time.monotonic() > end:
                raise RuntimeError("streams differ")
            before = [each.taken for each in readers]
            await asyncio.sleep(0.3)
        return load


async def _idle(peer: Peer) -> tuple[float, float]:
    """Return KiB of HTTP Proxy for each idle stream, and percent of a core of both processes for all of them."""
    child = peer.pids()[-1]
    before = memory_of(child)
    async with _followed(peer.port, _IDLE):
        await asyncio.sleep(1)
        memory = (memory_of(child) - before) * 1024 / _IDLE
        cpu, began = sum(cpu_of(pid) for pid in peer.pids()), time.perf_counter()
        await asyncio.sleep(_SECONDS)
        cpu = sum(cpu_of(pid) for pid in peer.pids()) - cpu
        return memory, 100 * cpu / (time.perf_counter() - began)
