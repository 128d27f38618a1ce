"""`ocsctl` in this process, on a store of its own that no server uses."""

import atexit
import contextlib
import functools
import io
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.catalog import directory_of
from ocsgw.config import load
from ocsgw.ctl.__main__ import main
from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.integration.server import CONFIG, STORE
from tests.support.reports import unreported


@functools.cache
def _new_store() -> Path:
    """Return the file of a store with nothing in it; to copy it is much cheaper than to make it."""
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = folder / "ocsgw.toml"
    config.write_text(_config(folder), encoding="utf-8")
    loaded = load(config)
    # As the first start of a server does.
    store = SQLiteEngine(str(folder / "ocsgw.sqlite"), unreported)
    store.open(directory_of(loaded, loaded.application.dbid))
    store.close()
    return folder / "ocsgw.sqlite"


def _config(folder: Path) -> str:
    state = f'state_dir = "{folder}"'
    text = CONFIG.format(reconnect="1s", application=state, store=STORE, port=0, listener="", more="")
    return text.replace("sqlite:///var/", f"sqlite:///{folder}/")


class Done(NamedTuple):
    """How a command ended."""

    status: int
    output: str
    messages: str


class CommandTestCase(SynchronousTestCase):
    """Commands in a folder with a configuration; the lists are those of the integration tests."""

    def setUp(self) -> None:
        # Not the folder of the test: the path of a UNIX socket is limited.
        self.folder = Path(tempfile.mkdtemp(prefix="ocsgw-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.write("ocsgw.toml", _config(self.folder))
        shutil.copyfile(_new_store(), self.folder / "ocsgw.sqlite")

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    def live_in(self, country: str) -> None:
        """Give the tenant a country."""
        with (self.folder / "ocsgw.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[[tenant]]\ndbid = 1\nname = "Environment"\ncountry = "{country}"\n')

    def run_command(self, *arguments: str | Path) -> Done:
        """Run `ocsctl` and return how it ended."""
        # A terminal of another size or a reconfigured stream must not matter.
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", newline=""), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main(["--config", str(self.folder / "ocsgw.toml"), *map(str, arguments)])
            except SystemExit as end:
                status = int(end.code or 0)
        out.flush()
        written = out.buffer.getvalue()
        return Done(status, written.decode(out.encoding), err.getvalue())

    def sql(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read or change the store as another program does."""
        with contextlib.closing(sqlite3.connect(self.folder / "ocsgw.sqlite", isolation_level=None)) as connection:
            return connection.execute(query, parameters).fetchall()
