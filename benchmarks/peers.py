"""What a user would otherwise pick: the same work in the usual ways, one server process each.

Run as `python -m benchmarks.peers NAME PORT FOLDER`. "Echo" servers read the JSON body and answer with JSON; "durable"
servers insert the record into SQLite and commit before they answer.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Callable
from typing import Any

TABLE = """CREATE TABLE IF NOT EXISTS CL_Test (
  record_id INTEGER PRIMARY KEY, contact_info VARCHAR(128), contact_info_type INTEGER, record_type INTEGER,
  record_status INTEGER, call_result INTEGER, attempt INTEGER, daily_from INTEGER, daily_till INTEGER,
  tz_name VARCHAR(64), campaign VARCHAR(255), cust_id VARCHAR(64), disposition VARCHAR(64), segment VARCHAR(32),
  remarks VARCHAR(255))"""
# Connections to PostgreSQL; more make it slower.
POOL = 16
INSERT = (
    "INSERT INTO CL_Test (contact_info, contact_info_type, record_type, record_status, call_result, attempt,"
    " daily_from, daily_till, tz_name, campaign, cust_id, disposition, segment, remarks)"
    " VALUES (?, ?, ?, 1, 28, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def values_of(members: dict[str, Any]) -> tuple[Any, ...]:
    """Return the columns of a record from the members of an AddRecord body."""
    return (
        members["GSW_PHONE"],
        int(members.get("GSW_PHONE_TYPE", 0)),
        int(members.get("GSW_RECORD_TYPE", 2)),
        int(members.get("GSW_ATTEMPTS", 0)),
        int(members.get("GSW_FROM", 0)),
        int(members.get("GSW_UNTIL", 86399)),
        members.get("GSW_TZ_NAME"),
        members.get("GSW_CAMPAIGN_NAME"),
        members.get("CustomerID"),
        members.get("Disposition"),
        members.get("Segment"),
        members.get("Remarks"),
    )


def connect(folder: str) -> sqlite3.Connection:
    """Open the database with the same durability as ocsgw: write-ahead log, full synchronization."""
    connection = sqlite3.connect(f"{folder}/peer.sqlite", check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(TABLE)
    connection.commit()
    return connection


def starlette_durable(folder: str) -> Any:
    """Starlette with sqlite3, a commit for each request."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    connection = connect(folder)

    async def add(request: Request) -> JSONResponse:
        members = json.loads(await request.body())
        cursor = connection.execute(INSERT, values_of(members))
        connection.commit()
        return JSONResponse({"GSW_USER_EVENT": "AddRecordAcknowledge", "GSW_CHAIN_ID": cursor.lastrowid, **members})

    return Starlette(routes=[Route("/lists/{name}", add, methods=["POST"])])


def starlette_postgresql() -> Any:
    """Starlette with psycopg and a pool of connections, a commit for each request."""
    import asyncio

    import psycopg
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from benchmarks.runner import DATABASE

    address = os.environ[DATABASE]
    with psycopg.connect(address, autocommit=True) as connection:
        table = TABLE.replace("record_id INTEGER PRIMARY KEY", "record_id SERIAL PRIMARY KEY").replace(
            "CL_Test", "peer"
        )
        connection.execute(table.encode())
    insert = f"{INSERT.replace('CL_Test', 'peer').replace('?', '%s')} RETURNING record_id".encode()
    free: asyncio.Queue[psycopg.AsyncConnection[tuple[int]]] = asyncio.Queue()
    made = 0

    async def add(request: Request) -> JSONResponse:
        nonlocal made
        members = json.loads(await request.body())
        if free.empty() and made < POOL:
            made += 1
            connection: Any = await psycopg.AsyncConnection.connect(address)
        else:
            connection = await free.get()
        try:
            cursor = await connection.execute(insert, values_of(members))
            (number,) = await cursor.fetchone()
            await connection.commit()
        finally:
            free.put_nowait(connection)
        return JSONResponse({"GSW_USER_EVENT": "AddRecordAcknowledge", "GSW_CHAIN_ID": number, **members})

    return Starlette(routes=[Route("/lists/{name}", add, methods=["POST"])])


def fastapi_durable(folder: str) -> Any:
    """FastAPI with a validated model and SQLAlchemy's ORM, a commit for each request."""
    import sqlalchemy as sa
    from fastapi import FastAPI
    from pydantic import BaseModel
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

    connect(folder).close()
    engine = sa.create_engine(f"sqlite:///{folder}/peer.sqlite")

    @sa.event.listens_for(engine, "connect")
    def durable(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous = FULL")

    class Base(DeclarativeBase):
        pass

    class Row(Base):
        __tablename__ = "CL_Test"
        record_id: Mapped[int] = mapped_column(primary_key=True)
        contact_info: Mapped[str]
        contact_info_type: Mapped[int]
        record_type: Mapped[int]
        daily_from: Mapped[int]
        daily_till: Mapped[int]
        tz_name: Mapped[str | None]
        campaign: Mapped[str | None]
        cust_id: Mapped[str | None]
        remarks: Mapped[str | None]

    class Body(BaseModel):
        GSW_PHONE: str
        GSW_PHONE_TYPE: int = 0
        GSW_RECORD_TYPE: int = 2
        GSW_FROM: int = 0
        GSW_UNTIL: int = 86399
        GSW_TZ_NAME: str | None = None
        GSW_CAMPAIGN_NAME: str | None = None
        CustomerID: str | None = None
        Remarks: str | None = None

    application = FastAPI()

    @application.post("/lists/{name}")  # type: ignore[untyped-decorator,unused-ignore]  # FastAPI may be absent
    def add(name: str, body: Body) -> dict[str, Any]:
        with Session(engine) as session:
            row = Row(
                contact_info=body.GSW_PHONE,
                contact_info_type=body.GSW_PHONE_TYPE,
                record_type=body.GSW_RECORD_TYPE,
                daily_from=body.GSW_FROM,
                daily_till=body.GSW_UNTIL,
                tz_name=body.GSW_TZ_NAME,
                campaign=body.GSW_CAMPAIGN_NAME,
                cust_id=body.CustomerID,
                remarks=body.Remarks,
            )
            session.add(row)
            session.commit()
            return {"GSW_USER_EVENT": "AddRecordAcknowledge", "GSW_CHAIN_ID": row.record_id, **body.model_dump()}

    return application


async def asgi_echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer JSON with JSON as plain ASGI."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    answer = json.dumps({"GSW_USER_EVENT": "AddRecordAcknowledge", **json.loads(body)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def echo_resource() -> Any:
    """Return a resource that answers JSON with JSON."""
    from twisted.web.resource import Resource

    class Add(Resource):
        isLeaf = True

        def render_POST(self, request: Any) -> bytes:
            members = json.loads(request.content.read())
            request.setHeader(b"content-type", b"application/json")
            return json.dumps({"GSW_USER_EVENT": "AddRecordAcknowledge", **members}).encode()

    return Add()


def twisted_echo(port: int) -> None:
    """Answer JSON with JSON on the stock twisted.web."""
    from twisted.internet import reactor
    from twisted.web.resource import Resource
    from twisted.web.server import Site

    root = Resource()
    root.putChild(b"lists", echo_resource())
    any_reactor: Any = reactor
    any_reactor.listenTCP(port, Site(root), interface="127.0.0.1")
    any_reactor.run()


def our_front(port: int, *, tree: bool) -> None:
    """Answer JSON with JSON on the HTTP front of ocsgw, without a link: by the classic surface or a resource."""
    import time

    from ocsgw.quick_reactor import install_quick_reactor

    install_quick_reactor()

    from twisted.internet import reactor

    from ocsgw import speedups
    from ocsgw.protocol.errors import Refusal
    from ocsgw.protocol.frames import HEADER_SIZE
    from ocsgw.protocol.messages import (
        KV,
        AliasSettings,
        Event,
        HttpLimits,
        ListenerSettings,
        Request,
        Settings,
        decode,
        encode,
    )
    from ocsgw.proxy.frontend import HttpFrontend
    from ocsgw.proxy.http.exchange import Addressee, Deliver, Exchange
    from ocsgw.proxy.http.factory import ChannelFactory

    if speedups.is_used():
        from ocsgw.speedups.events import answer

    class Echo:
        """An OCS within the same process; where there are compiled parts it reads and writes the frames of the link."""

        next_ref = 1
        deadline_ms = 30_000
        head: Callable[[], bytes]

        @property
        def frames(self) -> "Echo | None":
            return self if speedups.is_used() else None

        def use_head(self, success_head: Callable[[], bytes]) -> None:
            self.head = success_head

        def make_lane(self, frontend: object) -> None:
            """The lane ends at a real link."""

        def room(self) -> int:
            return 1 << 20

        def carry(self, exchange: Exchange, frame: bytes, deliver: Deliver, addressee: Addressee | None) -> None:
            request = decode(frame[HEADER_SIZE:])
            assert isinstance(request, Request)
            event = Event(ref=1, data={"GSW_USER_EVENT": "AddRecordAcknowledge", **request.data})
            made = answer(encode(event), 0, 1 << 20, self.head())
            if made is None or addressee is None or not addressee.answer_written(exchange, made[1]):
                deliver(exchange, event)

        def ask_for_news(self) -> None:
            raise AssertionError("there are no streams")

        def submit(self, exchange: Exchange, data: KV, deliver: Deliver) -> Refusal | None:
            deliver(exchange, Event(ref=1, data={"GSW_USER_EVENT": "AddRecordAcknowledge", **data}))
            return None

    settings = Settings(
        listener=ListenerSettings(id="default", interface="127.0.0.1", port=port, public_host="x"),
        encoding=None,
        encoding_detect=True,
        http_custom_headers=[],
        keys=[],
        limits=HttpLimits(),
        client=None,
        error_codes=False,
        log_level="info",
        retry_after=1,
        aliases=AliasSettings(),
    )
    any_reactor: Any = reactor
    frontend = HttpFrontend(settings, Echo(), any_reactor, time.time)
    frontend.start()
    if tree:
        from ocsgw.proxy.http.tree import ResourceTree

        ResourceTree(frontend, any_reactor).mount(b"lists", echo_resource())
    any_reactor.listenTCP(port, ChannelFactory(frontend), interface="127.0.0.1")
    any_reactor.run()


def serve_asgi(application: Any, port: int) -> None:
    """Run an ASGI application on uvicorn as fast as it goes: uvloop, httptools, no access log."""
    import uvicorn

    uvicorn.run(application, host="127.0.0.1", port=port, log_level="error", access_log=False)


def main() -> None:
    """Run the peer that the command line names."""
    name, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if name == "starlette":
        serve_asgi(starlette_durable(folder), port)
    elif name == "starlette-postgresql":
        serve_asgi(starlette_postgresql(), port)
    elif name == "fastapi":
        serve_asgi(fastapi_durable(folder), port)
    elif name == "asgi":
        serve_asgi(asgi_echo, port)
    elif name == "twisted":
        twisted_echo(port)
    elif name in ("front", "tree"):
        our_front(port, tree=name == "tree")
    else:
        sys.exit(f"no peer {name}")


if __name__ == "__main__":
    main()
