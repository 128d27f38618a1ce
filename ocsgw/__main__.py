"""The `ocsgw` command: run the server in the foreground, check a configuration."""

import argparse
import sys
from typing import NoReturn

from ocsgw.version import VERSION

EXIT_USAGE = 64


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ocsgw", description="Outbound Contact Server with its HTTP Proxy.")
    parser.add_argument("--version", action="version", version=f"ocsgw {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the server in the foreground")
    run.add_argument("--example", action="store_true", help="print a command that tries the server out")
    check = commands.add_parser("check-config", help="print every problem of a configuration file")
    for command in (run, check):
        command.add_argument(
            "-c", "--config", default="etc/ocsgw.toml", metavar="FILE", help="the configuration file (%(default)s)"
        )
    return parser


def run(config: str, *, example: bool) -> int:
    """Run the server until it is told to stop; return the exit status (configuration.md section 15)."""
    from twisted.application.app import startApplication
    from twisted.application.service import Application
    from twisted.internet import reactor
    from twisted.logger import globalLogBeginner

    from ocsgw.tap import Options, make

    options = Options()
    options.parseOptions(["--config", config, *(["--example"] if example else [])])
    service, ending = make(options)
    application = Application("ocsgw")
    service.setServiceParent(application)
    globalLogBeginner.beginLoggingTo([service.log_file], redirectStandardIO=False)
    startApplication(application, False)  # noqa: FBT003 - nothing is saved
    if ending.status is None:
        reactor.run()
    return ending.status or 0


def check_config(path: str) -> int:
    """Print every problem of a configuration file; 78 if there is one, else 0."""
    from ocsgw.tap import load_or_exit

    config = load_or_exit(path)
    for warning in config.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    sys.stdout.write(f"{path}: no problems found\n")
    return 0


def main() -> int:
    """Run the command line."""
    arguments = _parser().parse_args()
    if arguments.command == "run":
        return run(arguments.config, example=arguments.example)
    return check_config(arguments.config)


if __name__ == "__main__":
    sys.exit(main())
