"""Completion of commands and options in shells: `completion`."""

import argparse
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ocsgw.ctl.families import add_command
from ocsgw.ctl.installation import Installation

if TYPE_CHECKING:
    from ocsgw.ctl.families import Commands

_BASH = """\
_ocsctl() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} path="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$path ${{COMP_WORDS[i]}}" in
            {paths}) path="$path ${{COMP_WORDS[i]}}" ;;
        esac
    done
    local words=""
    case "$path" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o bashdefault -o default -F _ocsctl ocsctl
"""
_DEFAULT = re.compile(r" ?\(?%\(default\)\w\)?")
# The first line lets zsh find it as a file `_ocsctl` in its function path. Then zsh calls the file as a function, the
# first time to complete something, which is what the last line does.
_ZSH = """\
#compdef ocsctl
autoload -U +X bashcompinit && bashcompinit
{bash}\
if [[ ${{funcstack[1]}} = _ocsctl ]]; then _bash_complete -o bashdefault -o default -F _ocsctl; fi
"""


class _Node(NamedTuple):
    """A place in the command line: the words before it, and what may follow, each with what it is for."""

    path: tuple[str, ...]
    commands: dict[str, str]
    options: dict[str, str]


def add_commands(commands: "Commands") -> None:
    """Add this family to the command line."""
    parser = add_command(commands, "completion", completion, "print the completion of commands for a shell")
    parser.add_argument("shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")
    # The whole command line is known once every family has been added.
    parser.set_defaults(commands=commands)


def completion(installation: Installation, arguments: argparse.Namespace) -> int:
    """Print the completion for a shell, made from the command line itself."""
    nodes = list(_nodes(arguments.commands, ()))
    if arguments.shell == "fish":
        print("\n".join(_fish(nodes)))
        return 0
    script = _bash(nodes)
    print(_ZSH.format(bash=script) if arguments.shell == "zsh" else script, end="")
    return 0


def _nodes(commands: "Commands", path: tuple[str, ...]) -> Iterator[_Node]:
    helps = {each.dest: each.help or "" for each in commands._get_subactions()}  # noqa: SLF001 - argparse has no other
    yield _Node(path, {name: helps.get(name, "") for name in commands.choices}, {})
    for name, parser in commands.choices.items():
        below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]  # noqa: SLF001 - as above
        for each in below:
            yield from _nodes(each, (*path, name))
        if not below:
            options = {
                text: each.help or ""
                for each in parser._actions  # noqa: SLF001 - as above
                for text in each.option_strings
                if text.startswith("--")
            }
            yield _Node((*path, name), {}, options)


def _bash(nodes: list[_Node]) -> str:
    paths = "|".join(f'" {" ".join(node.path)}"' for node in nodes if node.path)
    cases = "\n".join(
        f'        "{"".join(f" {word}" for word in node.path)}") words="{" ".join((*node.commands, *node.options))}" ;;'
        for node in nodes
    )
    return _BASH.format(paths=paths, cases=cases)


def _fish(nodes: list[_Node]) -> Iterator[str]:
    for node in nodes:
        seen = [f"__fish_seen_subcommand_from {word}" for word in node.path]
        unseen = [f"not __fish_seen_subcommand_from {' '.join(node.commands)}"] if node.commands else []
        condition = "; and ".join([*seen, *unseen])
        for name, purpose in node.commands.items():
            yield f"complete -c ocsctl -f -n '{condition}' -a {name} -d {_quoted(purpose)}"
        for option, purpose in node.options.items():
            yield f"complete -c ocsctl -n '{condition}' -l {option[2:]} -d {_quoted(purpose)}"


def _quoted(text: str) -> str:
    text = _DEFAULT.sub("", text)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
