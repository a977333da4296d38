"""Help of a verb: its choices and settings, explained by the comments of the YAML files."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

from hydra import initialize_config_dir
from hydra.core.default_element import ResultDefault
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ocrl_studies.composition import PPO, find_configs, ppo_signature, store_defaults
from ocrl_studies.invocation import call

WIDTH = 100
COLUMN = 34
"""Where explanations begin, unless a setting is longer."""

QUOTED = r"""'[^']*'|"[^"]*\""""
KEY = re.compile(rf"(?P<indent> *)(?P<key>[\w./-]+):(?:{QUOTED}|(?! #).)*(?: +# (?P<note>.*))?")
FOOTER = """\
Several runs at once: --multirun seed=0,1,2. Show the settings a command would use: --cfg job
Completion of settings by the shell: docs/tutorials/machines.md"""


def help_page(verb: str, overrides: list[str]) -> str:
    """Return what a verb does, its choices, and its settings as these choices have them.

    Args:
        verb: a YAML file at the top of ``configs/``, without its ending.
        overrides: as on the command line: ``["env=nav_maze_2"]``.

    Raises:
        hydra.errors.HydraException: there is no such choice or setting.
    """
    store_defaults()
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        cfg = loader.load_configuration(verb, overrides, RunMode.RUN)
        defaults = loader.compute_defaults_list(verb, overrides, RunMode.RUN).defaults
        choices = {
            group: (chosen, loader.get_group_options(group))
            for group, chosen in cfg.hydra.runtime.choices.items()
            if not group.startswith("hydra/")
        }
    header = re.sub(
        r"python scripts/(\w+)\.py", lambda name: call(name[1]), cfg.hydra.help.header.strip()
    )
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    lines = [header]
    if choices:
        lines += ["", "Choices (option=name), with what is chosen in brackets:", ""]
    for group in sorted(choices):
        lines += _choice(group, *choices[group])
    lines += ["", "Settings (setting=value) and their defaults:", ""]
    lines += _settings(cfg, comments(defaults))
    return "\n".join([*lines, "", FOOTER])


def comments(defaults: list[ResultDefault]) -> dict[str, str]:
    """Return what YAML files say of settings, by dotted name.

    Args:
        defaults: which files, and where in the configuration each one is put.
    """
    notes: dict[str, str] = {}
    for default in defaults:
        if default.config_path == PPO:
            notes |= {f"{default.package}.{k}": v for k, v in ppo_signature().notes.items()}
        path = find_configs() / f"{default.config_path}.yaml"
        if default.config_path and path.is_file():
            for key, note in explained(path.read_text()):
                full = ".".join(filter(None, (default.package, key)))
                if full:
                    notes[full] = note
    return notes


def explained(text: str) -> Iterator[tuple[str, str]]:
    r"""Yield (dotted name, comment) of a YAML file; of the whole file under the empty name.

    A comment stands behind a setting, goes on below it, or stands on lines of its own above it.

    >>> list(explained("# @package env\n# A maze.\nid: 3    # which\n         # of all\n"))
    [('', 'A maze.'), ('id', 'which of all')]

    Args:
        text: of the file.
    """
    above: list[str] = []
    path: list[tuple[int, str]] = []
    notes: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# @package"):
            continue
        if stripped.startswith("#"):
            words = stripped.lstrip("# ")
            is_aligned = last and len(line) - len(line.lstrip()) > path[-1][0] + 4
            if is_aligned and last in notes:
                notes[last] += f" {words}"
            else:
                above.append(words)
            continue
        match = KEY.fullmatch(line)
        if match is None:
            above = [] if stripped else above
            continue
        indent = len(match["indent"])
        path = [(i, key) for i, key in path if i < indent] + [(indent, match["key"])]
        name = ".".join(key for _, key in path)
        if above and not notes and len(path) == 1:
            notes[""] = " ".join(above)
        elif above:
            notes[name] = " ".join(above)
        if match["note"]:
            notes[name] = match["note"]
        above, last = [], name
    yield from notes.items()


def _choice(group: str, chosen: str | None, options: list[str]) -> list[str]:
    names = [f"[{name}]" if name == chosen else name for name in options]
    return textwrap.wrap(
        f"  {group}: {', '.join(names)}",
        WIDTH,
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _settings(node: DictConfig, notes: dict[str, str], prefix: str = "") -> list[str]:
    """Return the lines of a node, one a setting, each with its explanation."""
    lines: list[str] = []
    margin = "  " * (prefix.count(".") + 1)
    for key in node:
        name = f"{prefix}{key!s}"
        child: Any = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none() and len(child):
            lines += _explained(f"{margin}{key!s}:", notes.get(name), margin)
            lines += _settings(child, notes, f"{name}.")
        else:
            lines += _explained(f"{margin}{key!s}: {_value(node, key)}", notes.get(name), margin)
    return lines


def _explained(setting: str, note: str | None, margin: str) -> list[str]:
    """Return a setting with its explanation behind it, or above it if that is long."""
    if note is None:
        return [setting]
    line = f"{setting:{COLUMN}}  # {note}"
    if len(line) <= WIDTH:
        return [line]
    above = textwrap.wrap(note, WIDTH - len(margin) - 2, break_on_hyphens=False)
    return [*(f"{margin}# {part}" for part in above), setting]


def _value(node: DictConfig, key: Any) -> str:
    """Return a value as YAML has it, on one line."""
    plain = OmegaConf.to_container(node, resolve=False)
    assert isinstance(plain, dict)
    value = plain[key]
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)
