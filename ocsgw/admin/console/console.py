"""The pages of the console below the root of an admin listener."""

from importlib.resources import files

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import Request

from ocsgw.admin.console.do_not_call import DoNotCall
from ocsgw.admin.console.export import Export
from ocsgw.admin.console.groups import Groups
from ocsgw.admin.console.import_page import ImportPage
from ocsgw.admin.console.installation import Audit, Configuration
from ocsgw.admin.console.lists import Lists
from ocsgw.admin.console.live import Live, Parts
from ocsgw.admin.console.log import LogTail
from ocsgw.admin.console.login import Doorkeeper, Login, Logout
from ocsgw.admin.console.number import Number
from ocsgw.admin.console.overview import Overview
from ocsgw.admin.console.pages import Page
from ocsgw.admin.console.principals import Principals
from ocsgw.admin.console.record import RecordPage
from ocsgw.admin.console.verdicts import VerdictFile
from ocsgw.admin.shared import Shared

_STATIC = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "import.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


class Console:
    """Makes the resources; `stop` ends what would go on."""

    def __init__(self, door: Doorkeeper, shared: Shared, clock: IReactorTime) -> None:
        overview = Overview(door, shared.history, shared.counts)
        groups, log = Groups(door, shared.counts), LogTail(door)
        importing = ImportPage(door, shared.imports)
        live: dict[str, Parts] = {each.path: each.parts for each in (overview, groups, log, importing)}
        self._live = Live(door, live, clock)
        pages: tuple[Page, ...] = (
            overview,
            Number(door),
            RecordPage(door),
            groups,
            Lists(door, shared.imports.undoing),
            importing,
            DoNotCall(door, shared.imports.undoing),
            Principals(door),
            log,
            Configuration(door),
            Audit(door),
        )
        self.resources: dict[bytes, Resource] = {page.path[1:].encode(): page for page in pages}
        self.resources |= {
            b"export": Export(door),
            b"live": self._live,
            b"login": Login(door),
            b"logout": Logout(door),
            b"verdicts": VerdictFile(door, shared.imports.files),
            b"static": _Static(),
        }

    def stop(self) -> None:
        """End the answers that keep pages up to date."""
        self._live.stop()


class _Static(Resource):
    """`/static/`: style, script and icon, which are no secret."""

    def __init__(self) -> None:
        super().__init__()
        folder = files("ocsgw.admin.console") / "static"
        for name, kind in _STATIC.items():
            self.putChild(name.encode(), _File((folder / name).read_bytes(), kind.encode()))


class _File(Resource):
    isLeaf = True

    def __init__(self, data: bytes, kind: bytes) -> None:
        super().__init__()
        self._data = data
        self._kind = kind

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"content-type", self._kind + b"; charset=utf-8")
        request.setHeader(b"cache-control", b"max-age=300")
        return self._data
