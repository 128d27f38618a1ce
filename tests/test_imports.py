"""Who may import whom: the plan of the house, enforced on the syntax trees of all modules."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ocsgw"

# Room -> what of our own it may import. A room may always import itself, `version` and `logs` where it says so.
ROOMS: dict[str, set[str]] = {
    "protocol": {"speedups"},
    "access": {"protocol"},
    "config": {"access", "protocol"},
    "contact": {"access", "counters", "protocol", "speedups"},
    "operations": {"contact", "counters", "protocol"},
    "catalog": {"access", "config", "contact", "iana"},
    "store": {"clock", "contact", "counters", "periodic", "protocol", "speedups"},
    "audit": {"clock", "contact", "counters", "logs", "periodic", "protocol", "store"},
    "execution": {"audit", "clock", "contact", "counters", "guard", "logs", "periodic", "protocol", "store"},
    "control": {
        "clock",
        "contact",
        "counters",
        "guard",
        "logs",
        "operations",
        "periodic",
        "protocol",
        "store",
        "version",
    },
    "link": {"clock", "counters", "guard", "logs", "periodic", "protocol", "writing"},
    "desktop": {"access", "contact", "protocol"},
    "ocs": {
        "access",
        "admin",
        "audit",
        "catalog",
        "clock",
        "config",
        "contact",
        "control",
        "counters",
        "desktop",
        "execution",
        "guard",
        "link",
        "log_output",
        "logs",
        "operations",
        "periodic",
        "port_holder",
        "protocol",
        "speedups",
        "store",
        "systemd",
        "tls",
        "version",
        "writing",
    },
    "proxy": {
        "access",
        "clock",
        "counters",
        "guard",
        "light_imports",
        "link",
        "logs",
        "periodic",
        "port_holder",
        "protocol",
        "quick_port",
        "quick_reactor",
        "resources",
        "speedups",
        "tls",
        "version",
        "writing",
    },
    "ctl": {
        "access",
        "audit",
        "catalog",
        "clock",
        "config",
        "contact",
        "control",
        "counters",
        "execution",
        "files",
        "logs",
        "operations",
        "periodic",
        "protocol",
        "store",
        "version",
        "sandbox",
    },
    "files": {"contact"},
    "clock": set(),
    "iana": set(),
    "counters": set(),
    "guard": {"counters", "logs"},
    "periodic": {"counters", "logs"},
    "client": {"guard", "link", "protocol"},
    "admin": {
        "access",
        "audit",
        "contact",
        "control",
        "counters",
        "files",
        "guard",
        "logs",
        "operations",
        "periodic",
        "protocol",
        "tls",
    },
    "sandbox": {"clock", "config", "contact", "execution", "logs", "ocs", "protocol"},
    "tls": set(),
    "logs": {"log_output"},
    "log_output": set(),
    "signals": set(),
    "systemd": set(),
    "resources": {"speedups"},
    "port_holder": set(),
    "version": set(),
    "interpreter": {"speedups"},
    "speedups": set(),
    "light_imports": set(),
    "quick_port": set(),
    "quick_reactor": {"light_imports", "quick_port", "speedups"},
    "writing": {"quick_port", "speedups"},
    "tap": {"clock", "config", "interpreter", "logs", "ocs", "resources", "signals", "systemd", "version"},
    "setup": {"access"},
    "__main__": {
        "sandbox",
        "access",
        "config",
        "interpreter",
        "ocs",
        "quick_reactor",
        "setup",
        "signals",
        "store",
        "tap",
        "version",
    },
    "__init__": set(),
}
# How many lines a module may have.
LONGEST = 500
# Rooms without Twisted.
PURE = {"protocol", "access", "config", "contact", "files", "operations", "store", "audit"}
# What pure rooms may import from outside the standard library.
OUTSIDE = {
    "protocol": {"msgspec"},
    "access": {"msgspec"},
    "audit": {"msgspec"},
    "config": {"msgspec", "phonenumbers"},
    "contact": {"msgspec", "phonenumbers"},
    "files": set(),
    "operations": {"msgspec"},
    "store": {"msgspec", "psycopg", "sqlalchemy", "alembic"},
}
# Only where a process begins may the global reactor be imported.
ENTRY_POINTS = {"ocsgw.tap", "ocsgw.__main__", "ocsgw.ctl.__main__", "ocsgw.proxy.__main__", "ocsgw.sandbox.__main__"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield name and syntax tree of every module of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted names that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def room_of(module: str) -> str:
    """Return the room of a module of ours."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def module_of(imported: str, names: set[str]) -> str | None:
    """Return the module of ours that has an imported name, None for one of others."""
    while imported and imported not in names:
        imported = imported.rpartition(".")[0]
    return imported or None


class ImportTests(SynchronousTestCase):
    """The walls between the rooms."""

    def test_rooms(self) -> None:
        """No module imports a room that its own may not know."""
        wrong = []
        for name, tree in modules():
            room = room_of(name)
            for imported in imports(tree):
                if imported.startswith("ocsgw."):
                    other = room_of(imported)
                    if other != room and other not in ROOMS[room]:
                        wrong.append(f"{name} imports {imported}")
        self.assertEqual(wrong, [])

    def test_pure_rooms(self) -> None:
        """Pure rooms import the standard library and what is named here, and no Twisted."""
        wrong = []
        for name, tree in modules():
            room = room_of(name)
            if room not in PURE:
                continue
            for imported in imports(tree):
                top = imported.split(".")[0]
                if top != "ocsgw" and top not in sys.stdlib_module_names and top not in OUTSIDE[room]:
                    wrong.append(f"{name} imports {imported}")
        self.assertEqual(wrong, [])

    def test_no_long_file(self) -> None:
        """No module has more than 500 lines: whoever reads one can hold it in mind."""
        lengths = {
            str(path.relative_to(PACKAGE)): len(path.read_text().splitlines())
            for path in PACKAGE.rglob("*.p[yx]*")
            if path.suffix in (".py", ".pyx", ".pxd")
        }
        self.assertEqual({name: length for name, length in lengths.items() if length > LONGEST}, {})

    def test_no_circles(self) -> None:
        """No module imports itself by way of others, not even for its types."""
        names = {name for name, _ in modules()}
        graph = {
            name: {other for imported in imports(tree) if (other := module_of(imported, names)) not in (None, name)}
            for name, tree in modules()
        }
        # Whoever imports nothing that is left goes; what remains is in a circle, or above one.
        while leaves := [name for name, others in graph.items() if not others & graph.keys()]:
            for name in leaves:
                del graph[name]
        self.assertEqual(graph, {})

    def test_global_reactor(self) -> None:
        """Only entry points import the global reactor."""
        wrong = [
            name
            for name, tree in modules()
            if name not in ENTRY_POINTS and "twisted.internet.reactor" in set(imports(tree))
        ]
        self.assertEqual(wrong, [])

    def test_rules_know_neither_clock_nor_chance(self) -> None:
        """Rules get time and randomness; they import neither."""
        wrong = [
            f"{name} imports {imported}"
            for name, tree in modules()
            if room_of(name) in {"contact", "operations", "protocol"}
            for imported in imports(tree)
            if imported.split(".")[0] in {"time", "random", "secrets", "uuid"}
        ]
        self.assertEqual(wrong, [])

    def test_every_package_is_installed(self) -> None:
        """The list of packages, written by hand, has every package once."""
        listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
        there = [".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")]
        self.assertEqual(sorted(listed), sorted([*there, "twisted.plugins"]))

    def test_compiled_parts_import_nothing_of_ours(self) -> None:
        """What they need they are given; the walls between the rooms hold for those who give it."""
        sources = list((PACKAGE / "speedups").glob("*.p[yx][xd]"))
        self.assertNotEqual(sources, [])
        wrong = [
            f"{source.name}: {line}"
            for source in sources
            for line in source.read_text(encoding="utf-8").splitlines()
            if line.split()[:1] in (["import"], ["from"], ["cimport"])
            and "ocsgw" in line
            and "ocsgw.speedups" not in line
        ]
        self.assertEqual(wrong, [])

    def test_every_room_is_known(self) -> None:
        """A new room has to get its place in the table."""
        rooms = {room_of(name) for name, _ in modules()}
        self.assertEqual(rooms - set(ROOMS), set())

    def test_proxy_loads_no_store(self) -> None:
        """The child's process has neither store nor rules nor a database driver in memory, with its application."""
        code = (
            "import sys; import ocsgw.proxy.app, ocsgw.proxy.__main__, twisted.internet.reactor;"
            "absent = ('audit', 'config', 'contact', 'control', 'execution', 'ocs', 'operations', 'store');"
            "print([name for name in sys.modules if name.split('.')[0] in"
            " ('sqlite3', 'psycopg', 'sqlalchemy', 'alembic')"
            " or name.startswith(tuple('ocsgw.' + room for room in absent))])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual((done.stdout.strip(), done.stderr), ("[]", ""))
