"""Words of a command line, checked against the choices there are and the defaults they replace."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ocrl.errors import UsageError, nearest
from ocrl_studies.composition import find_configs
from ocrl_studies.settings import find_rule

CLOSED = ("pretraining", "scoring", "identity", "strip", "teacher", "distillation")
"""Parts of the configuration to which nothing can be added."""

OPTIONS = (
    *("--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--resolve", "--package", "-p"),
    *("--run", "-r", "--multirun", "-m", "--shell-completion", "-sc", "--info", "-i"),
    *("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    "--experimental-rerun",
)
"""Of Hydra."""


def check_words(words: Sequence[str]) -> None:
    """Raise UsageError of a word that Hydra would answer with a page, or with a traceback.

    >>> check_words(["seed=1", "--seed"])
    Traceback (most recent call last):
    ocrl.errors.UsageError: there is no option --seed: settings are key=value, as in seed=1; \
options are those of --help

    Args:
        words: of the command line.
    """
    groups = {path.name for path in find_configs().iterdir() if path.is_dir()}
    for word in words:
        if word.startswith("-"):
            option = word.partition("=")[0]
            if option not in OPTIONS:
                raise UsageError(
                    f"there is no option {option}: settings are key=value, as in seed=1; options "
                    "are those of --help"
                )
            continue
        key, equals, value = word.lstrip("+~").partition("=")
        if equals and not key:
            raise UsageError(f"cannot read {word!r}: write it as key=value")
        if word.startswith("~") and key not in groups:
            raise UsageError(f"{word}: settings are changed, not taken out")
        if key in groups and equals and not word.startswith("~") and not _is_name(word):
            known = [path.stem for path in (find_configs() / key).glob("*.yaml")]
            raise UsageError(f"{key}={value} does not exist: {nearest(value, known)}")


def check_overrides(cfg: DictConfig) -> None:
    """Raise UsageError of a setting that is needed, that nobody reads, or that is of another kind.

    Args:
        cfg: as it was composed, of the command that runs.
    """
    check_experiment()
    check_missing(cfg)
    default = without_own_words()
    check_additions(default)
    check_kinds(default, cfg)


def check_shared_kinds(cfg: DictConfig, config: DictConfig) -> None:
    """Raise UsageError if a setting that all cells of a study share is of another kind.

    Those of the encoder are not among them.

    Args:
        cfg: as it was composed before the first cell.
        config: the same with Hydra's own part, which it shows to nobody else by then.
    """
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    try:
        default = without_own_words()
    finally:
        HydraConfig.instance().cfg = before
    shared = [str(key) for key in default if key in cfg and key != "encoder"]
    check_kinds(default, cfg, shared)


def without_own_words() -> DictConfig:
    """Return the same choices as the command's, and all else as it comes."""
    groups = [o for o in HydraConfig.get().overrides.task if _is_group(o) and not _sweeps(o)]
    return hydra.compose(HydraConfig.get().job.config_name or "", overrides=groups)


def check_experiment() -> None:
    """Raise UsageError if there is no such experiment: to Hydra it is optional."""
    name = HydraConfig.get().runtime.choices.get("experiment")
    if name is None:
        return
    known = GlobalHydra.instance().config_loader().get_group_options("experiment")
    if name not in known and not _is_nested(name):
        raise UsageError(f"experiment={name} does not exist: {nearest(name, known)}")


def check_missing(cfg: DictConfig) -> None:
    """Raise UsageError if a setting without a default was not given."""
    for key in leaves(cfg):
        parent, _, name = key.rpartition(".")
        if OmegaConf.is_missing(OmegaConf.select(cfg, parent) if parent else cfg, name):
            raise UsageError(f"{key} is needed: add {key}=... to the command")


def check_additions(default: DictConfig) -> None:
    """Raise UsageError if a setting is added where nobody reads it."""
    known = leaves(default)
    for override in HydraConfig.get().overrides.task:
        key = override.lstrip("+~").partition("=")[0]
        first, parent = key.partition(".")[0], key.rpartition(".")[0]
        if _is_group(override) or first == "hydra" or not override.startswith("+"):
            continue
        is_open = first in default and first not in CLOSED
        if parent and not isinstance(_select(default, parent), DictConfig | None):
            is_open = False
        is_new = key not in known and _select(default, key) is None
        if is_new and (not is_open or _is_misspelt(default, key)):
            raise UsageError(f"there is no setting {key!r}: {nearest(key, known)} (all: --help)")


def _is_misspelt(default: DictConfig, key: str) -> bool:
    """Say whether a setting that is added is almost called as one beside it."""
    parent, _, name = key.rpartition(".")
    group = _select(default, parent) if parent else default
    beside = [str(each) for each in group] if isinstance(group, DictConfig) else []
    return bool(difflib.get_close_matches(name, beside, 1, cutoff=0.85))


def check_kinds(default: DictConfig, cfg: DictConfig, among: Sequence[str] | None = None) -> None:
    """Raise UsageError if a setting is of another kind than its default.

    Args:
        default: the same choices, and all else as it comes.
        cfg: what is asked for.
        among: parts of the configuration that are looked at. None: all.
    """
    for key in leaves(default, inner=True):
        if among is not None and key.partition(".")[0] not in among:
            continue
        made_of = _made_of(default, key)
        if made_of is not None and made_of == _made_of(cfg, key):
            continue  # which is looked at itself
        parent = key.rpartition(".")[0]
        if parent and _select(cfg, parent) is None:
            continue  # the group is left out, and was looked at itself
        before, after = _select(default, key), _select(cfg, key)
        has_rule = isinstance(before, str | ListConfig) and find_rule(key, {}) is not None
        if has_rule and not isinstance(after, DictConfig):
            continue  # the rule says more
        if before is not None and not is_like(before, after) and not _may_be_null(cfg, key, after):
            given = "null" if after is None else after
            raise UsageError(f"{key}={given}: {key} is {kind_of(before)}, {_example(key, before)}")


def is_like(before: Any, after: Any) -> bool:
    """Say whether a value can stand for another.

    >>> is_like(0.5, 1), is_like(1, 0.5), is_like([64, 64], ["a", 64]), is_like("cpu", 3)
    (True, False, False, False)
    """
    if isinstance(before, list | ListConfig):
        if not isinstance(after, list | ListConfig):
            return False
        numbers = before and all(isinstance(item, int | float) for item in before)
        return not numbers or all(isinstance(item, int | float) for item in after)
    if isinstance(before, Mapping | DictConfig):
        return isinstance(after, Mapping | DictConfig)
    if isinstance(before, bool) or isinstance(after, bool):
        return isinstance(before, bool) and isinstance(after, bool)
    if isinstance(before, float):
        return isinstance(after, int | float)
    return isinstance(after, type(before))


def kind_of(value: Any) -> str:
    """Say what kind of setting a value is of."""
    for kinds, name in (
        ((bool,), "true or false"),
        ((int,), "a whole number"),
        ((float,), "a number"),
        ((str,), "a text"),
        ((list, ListConfig), "a list"),
    ):
        if isinstance(value, kinds):
            return name
    return "a group of settings"


def leaves(node: DictConfig, prefix: str = "", *, inner: bool = False) -> list[str]:
    """Return the dotted names of all settings.

    Args:
        node: a configuration.
        prefix: of all names.
        inner: groups of settings too.
    """
    keys: list[str] = []
    for key in node:
        path = f"{prefix}{key!s}"
        child = node._get_node(key)
        if inner or not isinstance(child, DictConfig):
            keys.append(path)
        if isinstance(child, DictConfig) and not (child._is_none() or child._is_missing()):
            keys += [] if child._is_interpolation() else leaves(child, f"{path}.", inner=inner)
    return keys


def _example(key: str, value: Any) -> str:
    if isinstance(value, Mapping | DictConfig):
        return f"such as {key}.{next(iter(value), 'name')}=..."
    text = str(value).lower() if isinstance(value, bool) else str(value)
    quoted = f"\"'{text}'\"" if isinstance(value, str) and text.isdecimal() else text
    return f"for example {key}={quoted}"


def _select(cfg: DictConfig, key: str) -> Any:
    """Return a setting; None if it has no value, or is made of one that has none."""
    try:
        return OmegaConf.select(cfg, key, throw_on_missing=False)
    except OmegaConfBaseException:
        return None


def _made_of(cfg: DictConfig, key: str) -> str | None:
    """Return the text of a setting that is made of others; None: it is not."""
    parent, _, name = key.rpartition(".")
    group = _select(cfg, parent) if parent else cfg
    if not (isinstance(group, DictConfig) and OmegaConf.is_interpolation(group, name)):
        return None
    as_written = OmegaConf.to_container(group, resolve=False)
    assert isinstance(as_written, dict)
    return str(as_written[name])


def _may_be_null(cfg: DictConfig, key: str, after: Any) -> bool:
    """Say whether a setting is null, and may be: numbers as rules say, arguments as classes do."""
    if after is not None:
        return False
    parent = key.rpartition(".")[0]
    group = _select(cfg, parent) if parent else cfg
    return find_rule(key, {}) is not None or "_target_" in (group or {})


def _is_name(word: str) -> bool:
    """Say whether what is chosen may be the name of a file, or several."""
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        return True  # which is said elsewhere
    names = "" if override.is_sweep_override() else override.value()
    return all(isinstance(name, str) for name in (names if isinstance(names, list) else [names]))


def _sweeps(word: str) -> bool:
    return OverridesParser.create().parse_override(word).is_sweep_override()


def _is_nested(name: str) -> bool:
    parent, _, last = name.rpartition("/")
    options = GlobalHydra.instance().config_loader().get_group_options(f"experiment/{parent}")
    return bool(parent) and last in options


def _is_group(override: str) -> bool:
    return override.lstrip("+~").partition("=")[0] in HydraConfig.get().runtime.choices
