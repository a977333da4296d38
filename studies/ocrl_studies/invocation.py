"""Commands that a person can copy: the next one to try, or the one that makes what is missing."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from ocrl_studies.composition import compose, find_configs
from ocrl_studies.plain import flatten

CARRIED = ("env", "encoder", "seed", "runs_dir", "data_dir", "trusted")
"""Settings that one stage hands to the next."""

OF_AGENTS = ("name", "pretrained_as", "finetune", "positions", "wrapper")
"""Settings of an encoder that an agent has made of another's weights."""

CLASSES = ("encoder.model._target_", "encoder.wrapper._target_", "agent.model.extractor.path")
"""Settings that name a class, which may be one's own."""

ROLLOUTS = ("env", "simulator", "data", "data_dir", "seed")
"""Settings that say which rollouts are meant."""

LIBRARY = ("ocrl", "ocrl_agents")
"""Packages whose classes every command may build."""


def invocation(verb: str, cfg: DictConfig) -> str:
    """Return the command that runs a verb with the world, the encoder and the seed of another.

    It says what was chosen, and what differs from what these choices say by themselves.

    Args:
        verb: as in `ocrl_studies.main.VERBS`.
        cfg: of the other, not resolved.
    """
    words = [f"env={cfg.env.name}"]
    if cfg.env.simulator not in ("maze", "gymnasium"):
        words.append(f"simulator={cfg.env.simulator}")
    experiment = HydraConfig.initialized() and HydraConfig.get().runtime.choices.get("experiment")
    if experiment and has_experiments(verb):
        words.append(f"experiment={experiment}")
    default = compose(verb, words)
    of_agents: tuple[str, ...] = ()
    if "encoder" in default and "encoder" in cfg:
        name = cfg.encoder.name
        if verb == "pretrain_slots" and cfg.encoder.pretrained_as != name:
            name, of_agents = cfg.encoder.pretrained_as, OF_AGENTS
        known = (find_configs() / "encoder" / f"{name}.yaml").exists()
        words.append(f"encoder={name if known else 'custom'}")
        default = compose(verb, words)
    before, now = _unresolved(default), {**_unresolved(cfg), "trusted": to_trust(cfg)}
    for key, value in now.items():
        part, _, name = key.partition(".")
        is_own = part == "encoder" and name.split(".")[0] in of_agents
        is_read = part in default and (part != "seed" or "encoder" in default)
        if is_read and not is_own and before.get(key, ...) != value:
            words.append(f"{'' if key in before else '+'}{key}={_written(value)}")
    return f"{call(verb)} {shlex.join(words)}"


def same_words(verb: str, parts: Collection[str]) -> str:
    """Return the command that runs a verb with the words of this one that begin with these parts.

    Args:
        verb: as in `ocrl_studies.main.VERBS`.
        parts: such as "env" and "data", of ``env=nav_maze_2`` and ``+data.path=films``.
    """
    given = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    words = [word for word in given if re.split(r"[.=]", word.lstrip("+"))[0] in parts]
    return shlex.join([*call(verb).split(), *words])


def has_experiments(verb: str) -> bool:
    """Say whether a verb takes ``experiment=``.

    >>> has_experiments("train_agent"), has_experiments("record_video")
    (True, False)
    """
    defaults = OmegaConf.load(find_configs() / f"{verb}.yaml").defaults
    return any("optional experiment" in each for each in defaults if not isinstance(each, str))


def call(verb: str) -> str:
    """Return how a verb is called, as this process was: ``ocrl`` or a script of the repository."""
    program = Path(sys.argv[0])
    if program.stem.partition(" ")[0] == "ocrl" or program.match("ocrl_studies/__main__.py"):
        return f"ocrl {verb.replace('_', '-')}"
    is_script = program.suffix == ".py" and (find_configs() / f"{program.stem}.yaml").exists()
    return f"python {(program.parent if is_script else Path('scripts')) / verb}.py"


def repeat(verb: str) -> str:
    """Return the command that this process runs, for a report to say how it was made.

    A report is read elsewhere, so scripts are named as from the repository's root.
    """
    words = sys.argv[1:]
    if words[:1] in ([verb], [verb.replace("_", "-")]):
        del words[0]
    called = call(verb)
    begin = called if called.startswith("ocrl ") else f"python scripts/{verb}.py"
    return shlex.join([*begin.split(), *words])


def trust(cfg: DictConfig) -> str:
    """Return what lets another command build what this one may, a space before it; often nothing.

    >>> trust(OmegaConf.create({"trusted": ["mypackage", "another"]}))
    ' trusted=[mypackage,another]'
    >>> trust(OmegaConf.create({"trusted": []}))
    ''
    """
    packages = to_trust(cfg)
    return f" trusted={_written(packages)}" if packages else ""


def to_trust(cfg: DictConfig) -> list[str]:
    """Return the packages of one's own that files of a run name, whatever the command was told.

    >>> model = {"_target_": "mine.nets.Encoder"}
    >>> to_trust(OmegaConf.create({"trusted": ["another"], "encoder": {"model": model}}))
    ['another', 'mine']
    """
    packages = [*cfg.trusted]
    for key in CLASSES:
        name = OmegaConf.select(cfg, key)
        known = tuple(f"{each}." for each in (*LIBRARY, *packages))
        if name is not None and not name.startswith(known):
            packages.append(name.partition(".")[0])
    return packages


def _unresolved(cfg: DictConfig) -> dict[str, Any]:
    """Return the settings that are carried, by dotted names, as they were said."""
    plain = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(plain, dict)
    return flatten({key: plain[key] for key in CARRIED if key in plain})


def _written(value: Any) -> str:
    """Return a value as a command line has it.

    >>> _written([{"a.B": {"p": 0.25}}, None, True, "word"])
    '[{a.B:{p:0.25}},null,true,word]'
    """
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if value is None or isinstance(value, bool):
        return str({None: "null", True: "true", False: "false"}[value])
    return str(value)
