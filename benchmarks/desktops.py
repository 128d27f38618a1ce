"""Agent desktops: what a thousand of them cost, and whether HTTP clients notice a hundred."""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import cast

from benchmarks.compare import progress
from benchmarks.report import Report, row_of
from benchmarks.runner import Load, Peer, answers, cpu_of, free_port, memory_of
from benchmarks.work import fill
from ocsgw.protocol.messages import KV, Event, Hello, Message, Ping, Pong, Request, Welcome, encode
from ocsgw.protocol.session import ClientSession

_MANY, _SOME = 1000, 100
_RATE = 20
_RECORDS = 100_000
_CONNECTIONS = 32
# So many connect at a time.
_AT_ONCE = 50
_MORE = """
[[listener]]
id = "desktops"
protocol = "ocs"
interface = "127.0.0.1"
port = {port}
"""


class _Desktop(asyncio.Protocol):
    """The desktop of an agent: it answers pings, and asks for a record and reports its result in turn."""

    def __init__(self, agent: str) -> None:
        self.welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._agent = agent
        self._session = ClientSession("desktop", 1 << 22)
        self._transport: asyncio.Transport | None = None
        self._open: dict[int, asyncio.Future[KV]] = {}
        self._last = 0
        self._handle: object = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._send(Hello(versions=[1], client="desktop", agent_id=self._agent))

    def data_received(self, data: bytes) -> None:
        """Take what OCS says."""
        for message in self._session.receive(data):
            if isinstance(message, Ping):
                self._send(Pong(ref=message.ref))
            elif isinstance(message, Welcome):
                self.welcomed.set_result(None)
            elif isinstance(message, Event) and message.ref is not None:
                self._open.pop(message.ref).set_result(message.data)

    async def work(self) -> float:
        """Ask for a record, or report the result of the one in hand; return the seconds until the answer."""
        handle, self._handle = self._handle, None
        name = "PreviewRecordRequest" if handle is None else "RecordProcessed"
        data: KV = {"GSW_AGENT_REQ_TYPE": name}
        if handle is None:
            data["GSW_CAMPAIGN_GROUP_DBID"] = 102
        else:
            data.update({"GSW_RECORD_HANDLE": cast("int", handle), "GSW_CALL_RESULT": 33})
        self._last += 1
        answer = self._open[self._last] = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._send(Request(ref=self._last, data=data))
        event = await answer
        if event["GSW_USER_EVENT"] not in ("PreviewRecord", "RecordProcessedAcknowledge"):
            raise RuntimeError(f"{name} got {event}")
        if handle is None:
            self._handle = event["GSW_RECORD_HANDLE"]
        return time.perf_counter() - began

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _send(self, message: Message) -> None:
        if self._transport is not None:
            self._transport.write(encode(message))


def desktops(report: Report, rounds: int, long: int) -> None:
    """Measure requests of one desktop and of a thousand for `long` seconds each, their memory, and HTTP beside some."""
    print(f"\nDesktops on an ocs listener; {_RATE} requests a second, each of a desktop chosen at random")
    with _server() as (peer, port):
        progress(f"one desktop for {long} s")
        one, _ = asyncio.run(_loaded(peer, port, 1, long))
        progress(f"{_MANY:,} desktops for {long} s")
        many, memory = asyncio.run(_loaded(peer, port, _MANY, long))
    progress("")
    report.add(
        row_of("desktops", f"{_MANY:,} desktops, p99", "one desktop", _MANY, [many], [one], unit="p99", at_most=10)
    )
    report.figure("memory for each idle desktop", memory, f"{'memory for each idle desktop':48} {memory:6.2f} KiB")
    print(f"HTTP with {_SOME} desktops connected; the ratio is to none in the same round")
    for kind, what in (("random", "AddRecord"), ("claims", "PreviewRecordRequest, RecordProcessed")):
        loads: dict[int, list[Load]] = {0: [], _SOME: []}
        with _server() as (peer, port):
            peer.load(_CONNECTIONS, 1, kind)
            # Short ones: other work of the machine is the same for neighbours at least. Each is the first one in every
            # other round, for the list grows meanwhile.
            for round_ in range(3 * rounds):
                progress(f"round {round_ + 1} of {3 * rounds}: {what}")
                for count in (0, _SOME) if round_ % 2 else (_SOME, 0):
                    loads[count].append(asyncio.run(_http(peer, port, count, kind, round_)))
        progress("")
        ours = row_of("desktops", what, "no desktop", _CONNECTIONS, loads[_SOME], loads[0], at_least=0.95)
        report.add(ours)


@contextmanager
def _server() -> Iterator[tuple[Peer, int]]:
    """Run a server with an `ocs` listener and a list that is full."""
    peer, port = Peer("ocsgw"), free_port()
    peer.more = _MORE.format(port=port)
    try:
        peer.start()
        fill(peer, _RECORDS)
        while not answers(port):
            time.sleep(0.01)
        yield peer, port
    finally:
        peer.stop()


@asynccontextmanager
async def _connected(port: int, count: int) -> AsyncIterator[list[_Desktop]]:
    made: list[_Desktop] = []
    loop = asyncio.get_running_loop()
    try:
        while len(made) < count:
            agents = [f"agent {number}" for number in range(len(made), min(count, len(made) + _AT_ONCE))]
            found = await asyncio.gather(
                *(loop.create_connection(lambda each=each: _Desktop(each), "127.0.0.1", port) for each in agents)  # type: ignore[misc]
            )
            made += [desktop for _, desktop in found]
            await asyncio.gather(*(desktop.welcomed for _, desktop in found))
        yield made
    finally:
        for desktop in made:
            desktop.close()


async def _loaded(peer: Peer, port: int, count: int, seconds: int) -> tuple[Load, float]:
    """Return what so many requests a second of so many desktops gave, and KiB of OCS for each idle desktop."""
    parent = peer.pids()[0]
    before = memory_of(parent)
    async with _connected(port, count) as found:
        await asyncio.sleep(5)
        memory = (memory_of(parent) - before) * 1024 / count
        chosen = random.Random(count)
        cpu = sum(cpu_of(pid) for pid in peer.pids())
        began = time.perf_counter()
        working: list[asyncio.Task[float]] = []
        for number in range(seconds * _RATE):
            await asyncio.sleep(max(0.0, began + number / _RATE - time.perf_counter()))
            working.append(asyncio.ensure_future(chosen.choice(found).work()))
        took = sorted(1000 * each for each in await asyncio.gather(*working))
        cpu = sum(cpu_of(pid) for pid in peer.pids()) - cpu
    p99 = took[int(len(took) * 0.99)]
    return Load(_RATE, statistics.median(took), p99, took[-1], cpu / len(took) * 1e6, 0), memory


async def _http(peer: Peer, port: int, count: int, kind: str, seed: int) -> Load:
    """Return the load of HTTP clients for a second while so many desktops are connected."""
    async with _connected(port, count):
        return await asyncio.to_thread(peer.load, _CONNECTIONS, 1, kind, seed)
