"""The `ocsgw` command: run the server in the foreground, check or begin a configuration, make API keys."""

import sys

from ocsgw import signals

if sys.argv[1:2] == ["run"]:
    # The first thing of all: loading the rest takes a while, and signals may come meanwhile.
    signals.hold()

import argparse
import os
import pwd
from pathlib import Path
from typing import NoReturn

from ocsgw.version import VERSION

_SERVICE_USER = "ocsgw"
EXIT_FAILURE = 1
EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_CONFIGURATION = 78

_NAME_CHARACTERS = 255


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from ocsgw.interpreter import description

        print(f"ocsgw {VERSION}\n{description()}")  # noqa: T201
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(prog="ocsgw", description="Outbound Contact Server with its HTTP Proxy.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version, and what it runs on, and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the server in the foreground")
    run.add_argument("--example", action="store_true", help="print a command that tries the server out")
    check = commands.add_parser("check-config", help="print every problem of a configuration file")
    check.add_argument(
        "--user",
        metavar="USER",
        type=_user,
        help="also report what this user cannot read or write; run as root, by default the user ocsgw if there is one",
    )
    migrate = commands.add_parser("migrate", help="bring ocsgw's own tables in a PostgreSQL database up to date")
    migrate.add_argument("--sql", action="store_true", help="print the statements instead, for somebody else to run")
    init = commands.add_parser("init", help="write a first configuration with an API key into a folder")
    init.add_argument("directory", metavar="DIR", type=Path, help="the folder of the configuration, such as /etc/ocsgw")
    init.add_argument(
        "--state-dir",
        metavar="DIR",
        type=Path,
        help="the folder of the store; by default /var/lib/ocsgw for a folder in /etc, else var in the folder",
    )
    sandbox = commands.add_parser("sandbox", help="run a server for tests, with a virtual clock and faults to order")
    sandbox.add_argument("-c", "--config", metavar="FILE", type=Path, help="a configuration; by default an example")
    sandbox.add_argument("--port", type=int, default=0, metavar="PORT", help="by default any free port")
    sandbox.add_argument("--json", action="store_true", help="print where it serves as JSON")
    sandbox.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    key = commands.add_parser("key", help="make API keys")
    create = key.add_subparsers(dest="order", required=True, metavar="ORDER").add_parser(
        "create", help="make a key for a principal, print it once, and write its SHA-256 into a file"
    )
    create.add_argument("name", metavar="NAME", type=_name, help="the principal, as in [[api_key]] name")
    create.add_argument("--file", metavar="FILE", help="the file, by default keys/NAME.key beside the configuration")
    create.add_argument("--force", action="store_true", help="replace the file if it exists")
    for command in (run, check, migrate, create):
        command.add_argument(
            "-c", "--config", default="etc/ocsgw.toml", metavar="FILE", help="the configuration file (%(default)s)"
        )
    return parser


def run(config: str, *, example: bool) -> int:
    """Run the server until it is asked to stop; return the exit status (configuration.md section 15)."""
    from twisted.application.app import startApplication
    from twisted.application.service import Application

    from ocsgw.quick_reactor import install_quick_reactor

    install_quick_reactor()

    from twisted.internet import reactor
    from twisted.logger import globalLogBeginner

    from ocsgw.tap import Options, make

    options = Options()
    options.parseOptions(["--config", config, *(["--example"] if example else [])])
    service, process = make(options)
    application = Application("ocsgw")
    service.setServiceParent(application)
    globalLogBeginner.beginLoggingTo([service.log_file], redirectStandardIO=False)
    startApplication(application, False)  # noqa: FBT003 - nothing is saved
    if process.status is None:
        reactor.run()
    signals.ignore()
    return process.status or 0


def check_config(path: str, user: str | None) -> int:
    """Print every problem of a configuration file; 78 if there is one, else 0.

    `user` is the one that the server will run as.
    """
    from ocsgw.ocs.checks import ADVICE
    from ocsgw.ocs.places import check_user
    from ocsgw.tap import load_or_exit

    config = load_or_exit(path, (check_user(user),) if user is not None else (), ADVICE)
    for warning in config.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    sys.stdout.write(f"{path}: no problems found\n")
    return 0


def migrate(path: str, *, sql: bool) -> int:
    """Bring our own tables up to date, or print the statements; 69 if the store cannot be used, 78 for its version."""
    from ocsgw.store.errors import StoreError, StoreVersionError
    from ocsgw.store.opening import migrate_store
    from ocsgw.tap import load_or_exit

    config = load_or_exit(path)
    try:
        done = migrate_store(config.store, sys.stdout.write if sql else None)
    except StoreError as error:
        sys.stderr.write(f"ocsgw: {error}\n")
        return EXIT_CONFIGURATION if isinstance(error, StoreVersionError) else EXIT_UNAVAILABLE
    sys.stderr.write(f"{done}\n")
    return 0


def create_key(config: str, name: str, path: str | None, *, force: bool) -> int:
    """Make an API key: the key alone goes to standard output, what to do with it to standard error; 1 if it fails."""
    from ocsgw.access.key_file import KeyFileError, create_key

    try:
        made = create_key(name, os.path.dirname(config), path, force=force)
    except KeyFileError as error:
        sys.stderr.write(f"ocsgw: {error}\n")
        return EXIT_FAILURE
    sys.stderr.write(
        f"The key is shown this once; {made.path} has only its SHA-256. The server has to be able to read that file.\n"
        f"Add to {config}, then reload:\n\n{made.lines}\n"
    )
    sys.stdout.write(f"{made.key}\n")
    return 0


def init(folder: Path, state: Path | None) -> int:
    """Write a first installation and print what comes next; the key alone goes to standard output. 1 if it fails."""
    from ocsgw.setup.init import InitError, initialize, state_directory_for

    program = os.path.join(os.path.dirname(sys.executable), "ocsgw")
    command = [program] if os.path.exists(program) else [sys.executable, "-m", "ocsgw"]
    try:
        made = initialize(folder, state or state_directory_for(Path(os.path.abspath(folder))), command)
    except InitError as error:
        sys.stderr.write(f"ocsgw: {error}\n")
        return EXIT_FAILURE
    steps, trial = ("\n".join(f"  {line}" for line in lines) for lines in (made.steps, made.trial))
    sys.stderr.write(
        f"{made.config} is written. The key of its first client is shown this once.\n\n"
        f"As a service, as root:\n{steps}\n\nTo try it out without one, in two shells:\n{trial}\n\n"
    )
    sys.stdout.write(f"{made.key}\n")
    return 0


def _name(written: str) -> str:
    """Return a name as the configuration takes it (C8)."""
    if not 0 < len(written) <= _NAME_CHARACTERS or not written.isprintable():
        raise argparse.ArgumentTypeError(f"must have 1 to {_NAME_CHARACTERS} printable characters")
    return written


def _user(name: str) -> str:
    """Return the name of a user of the system."""
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        raise argparse.ArgumentTypeError(f"there is no user {name}") from None


def _default_user() -> str | None:
    """Return the user of the service, if this process may see what that user may do."""
    try:
        return pwd.getpwnam(_SERVICE_USER).pw_name if os.geteuid() == 0 else None
    except KeyError:
        return None


def main() -> int:
    """Run the command line."""
    arguments = make_parser().parse_args()
    if arguments.command == "key":
        return create_key(arguments.config, arguments.name, arguments.file, force=arguments.force)
    if arguments.command == "sandbox":
        from ocsgw.sandbox.__main__ import run_sandbox

        return run_sandbox(arguments.config, arguments.port, as_json=arguments.json, until_eof=arguments.until_eof)
    if arguments.command == "init":
        return init(arguments.directory, arguments.state_dir)
    if arguments.command == "migrate":
        return migrate(arguments.config, sql=arguments.sql)
    if arguments.command == "run":
        return run(arguments.config, example=arguments.example)
    return check_config(arguments.config, arguments.user or _default_user())


if __name__ == "__main__":
    sys.exit(main())
