"""Scripts that let a shell complete the commands, their options and the shipped problems.

They hold all words themselves, so that a key press starts no Python.
"""

from __future__ import annotations

from typing import Any

from pinngate.errors import InputError, nearest

SHELLS = ("bash", "zsh", "fish")
TAKES_PROBLEMS = ("run", "check")

_BASH = """\
_pinngate() {{
  local now="${{COMP_WORDS[COMP_CWORD]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{commands}"
  else
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$now"))
}}
complete -o default -F _pinngate pinngate"""


def script(shell: str, group: Any) -> str:
    """Return the script of a shell.

    Args:
        shell: bash, zsh or fish.
        group: the command whose commands are completed, with `commands` by name, each with
            `params` and `help`.

    Raises:
        InputError: another shell.
    """
    if shell not in SHELLS:
        raise InputError(
            f"unknown shell '{shell}'", expected=", ".join(SHELLS), hint=nearest(shell, SHELLS)
        )
    if shell == "fish":
        return _fish(group)
    cases = "\n".join(
        f'      {name}) words="{" ".join([*_options(command), *_problems(name)])}" ;;'
        for name, command in group.commands.items()
    )
    bash = _BASH.format(commands=" ".join([*group.commands, *_options(group)]), cases=cases)
    return bash if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{bash}"


def _options(command: Any) -> list[str]:
    found = [o for p in command.params for o in p.opts if o.startswith("--")]
    return [*found, "--help"]


def _problems(name: str) -> list[str]:
    if name not in TAKES_PROBLEMS:
        return []
    from pinngate.config import catalog

    return catalog.names()


def _fish(group: Any) -> str:
    lines = []
    for name, command in group.commands.items():
        words = (command.help or "").partition("\n")[0].replace("'", "\\'")
        lines.append(f"complete -c pinngate -n __fish_use_subcommand -a {name} -d '{words}'")
        here = f"complete -c pinngate -n '__fish_seen_subcommand_from {name}'"
        for option in _options(command):
            lines.append(f"{here} -l {option.removeprefix('--')}")
        if problems := _problems(name):
            lines.append(f"{here} -a '{' '.join(problems)}'")
    return "\n".join(lines)
