"""`ocsgw init`: a folder with a configuration that runs as it is, a first API key, and the files of the services.

Nothing that exists is changed. Nothing outside the folder and the state directory is touched: what only root may do is
printed, to be read before it is done.
"""

import os
import pwd
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ocsgw.access.key_file import KeyFileError, create_key
from ocsgw.setup.shared import shared_file

SYSTEM: Final = Path("/etc")
SYSTEM_STATE: Final = Path("/var/lib/ocsgw")
SERVICE_USER: Final = "ocsgw"
# A package has the unit already, for the standard places.
PACKAGED_UNIT: Final = Path("/usr/lib/systemd/system/ocsgw.service")

_TRIAL_URL: Final = "http://127.0.0.1:8080/lists/Customers?req=AddRecord"
_PRINCIPAL: Final = "first-client"
_FOLDER_MODE: Final = 0o750
_FILE_MODE: Final = 0o640
_SUPPLIED_COMMAND: Final = "/opt/ocsgw/bin/ocsgw run --config /etc/ocsgw/ocsgw.toml"
_HOMES: Final = ("/home/", "/root/", "/run/user/")

_CONFIGURATION: Final = """# Configuration of ocsgw, made by "ocsgw init". Every key is explained in ocsgw.toml(5).
# After a change: "ocsgw check-config --config {path}", then "systemctl reload ocsgw" or "ocsctl reload".

[application]
name = "OCS"
dbid = 1                         # clients see it as GSW_APPLICATION_ID
customer_id = "customer_id"      # the column with the customer id, in every list that has it
state_dir = {state}

[[listener]]
id = "default"
protocol = "http"
interface = "127.0.0.1"          # "0.0.0.0" for other machines; then add [listener.tls]
port = 8080

# Who may send requests. Clients show the key as "Authorization: Bearer <key>".
{key}
[store]
url = {store}

[[tenant]]
dbid = 1
name = "Environment"
default_time_zone = "UTC"

# One database table each. The server makes those that are missing.
[[calling_list]]
dbid = 1
name = "Customers"
table = "customers"
  [[calling_list.field]]
  name = "customer_id"
  type = "varchar"
  length = 64
  send_attribute = "CustomerID"
  [[calling_list.field]]
  name = "last_name"
  type = "varchar"
  length = 64
  send_attribute = "LastName"

[[campaign]]
dbid = 1
name = "Campaign1"
calling_lists = ["Customers"]

[[campaign_group]]
dbid = 1
campaign = "Campaign1"
group = "Agents"
state = "started"

[log]
target = "stdout"                # the journal, under systemd
"""


class InitError(Exception):
    """Nothing can be written; the text says why and what to do."""


class Made(NamedTuple):
    """What was made, with the key, which is shown this once."""

    config: Path
    key: str
    service: Path | None
    """The unit for this installation; None if the supplied one is not installed, or a package has it in its place."""
    steps: tuple[str, ...]
    """Commands for root."""
    trial: tuple[str, ...]
    """Commands that try the server out."""


def state_directory_for(folder: Path) -> Path:
    """Return where the store goes by default: with a configuration in /etc where systemd expects it, else beside it."""
    return SYSTEM_STATE if SYSTEM in folder.parents else folder / "var"


def initialize(folder: Path, state: Path, command: Sequence[str]) -> Made:
    """Write a first installation; `command` are the words that run `ocsgw`. Raises `InitError`."""
    # Without "..", which systemd does not take.
    folder, state = Path(os.path.abspath(folder)), Path(os.path.abspath(state))
    config, service = folder / "ocsgw.toml", folder / "ocsgw.service"
    is_packaged = PACKAGED_UNIT.exists() and (folder, state) == (SYSTEM / "ocsgw", SYSTEM_STATE)
    for each in (folder, state):
        if not str(each).isprintable():
            raise InitError(f"{str(each)!r} has characters that cannot stand in a configuration; name another folder")
    for each in (config, service, folder / "keys" / f"{_PRINCIPAL}.key"):
        if os.path.lexists(each):
            raise InitError(f"{each} exists; name another folder, or move it away")
    try:
        for each in (folder, state):
            each.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        made = create_key(_PRINCIPAL, str(folder))
        _write(config, _configuration(config, state, made.lines))
        supplied = None if is_packaged else shared_file("systemd/ocsgw.service")
        if supplied is not None:
            _write(service, _unit(supplied.read_text(encoding="utf-8"), command, config, state))
    except KeyFileError as error:
        raise InitError(str(error)) from error
    except OSError as error:
        raise InitError(f"cannot write {error.filename}: {error.strerror}") from error
    return Made(
        config,
        made.key,
        service if supplied is not None else None,
        _steps(folder, state, service if supplied is not None else None, is_packaged=is_packaged),
        _trial(command, config, made.key),
    )


def _configuration(path: Path, state: Path, key: str) -> str:
    return _CONFIGURATION.format(
        path=path, state=_toml(str(state)), key=key, store=_toml(f"sqlite:///{state / 'ocsgw.sqlite'}")
    )


def _unit(supplied: str, command: Sequence[str], config: Path, state: Path) -> str:
    """Return the supplied unit for this installation."""
    run = " ".join(map(_systemd, (*command, "run", "--config", str(config))))
    lines = []
    for line in supplied.splitlines():
        key, _, _ = line.partition("=")
        if key == "WorkingDirectory":
            line = f"WorkingDirectory={_systemd(str(state))}"
        elif key == "StateDirectory" and state != SYSTEM_STATE:
            line = f"ReadWritePaths={_systemd(str(state))}"
        elif key == "ConfigurationDirectory" and config.parent != SYSTEM / "ocsgw":
            continue
        elif key == "ProtectHome" and any(path.startswith(_HOMES) for path in (*command, str(config), str(state))):
            line = "ProtectHome=read-only"
        lines.append(line.replace(_SUPPLIED_COMMAND, run))
    return "\n".join(lines) + "\n"


def _steps(folder: Path, state: Path, service: Path | None, *, is_packaged: bool) -> tuple[str, ...]:
    places = shlex.join(dict.fromkeys((str(folder), str(state))))
    steps = [f"chown -R {SERVICE_USER}:{SERVICE_USER} {places}"]
    if not _is_user(SERVICE_USER):
        home = shlex.quote(str(state))
        steps.insert(0, f"useradd --system --home-dir {home} --shell /usr/sbin/nologin {SERVICE_USER}")
    if service is not None:
        steps += [
            f"install -m 644 {shlex.quote(str(service))} /etc/systemd/system/ocsgw.service",
            "systemctl daemon-reload",
        ]
    if service is not None or is_packaged:
        steps.append("systemctl enable --now ocsgw")
    return tuple(steps)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _trial(command: Sequence[str], config: Path, key: str) -> tuple[str, ...]:
    return (
        shlex.join((*command, "check-config", "--config", str(config))),
        shlex.join((*command, "run", "--config", str(config))),
        f"curl -s -X POST '{_TRIAL_URL}' -H 'Authorization: Bearer {key}' -d '{{\"GSW_PHONE\":\"6505550100\"}}'",
    )


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _systemd(path: str) -> str:
    """Return a path as a word of a unit, where per cent signs and blanks mean something."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if any(character in path for character in " \"\\'") else escaped
