"""The command ``ocrl``: a verb for each stage and study, each also a script of the repository."""

from __future__ import annotations

import importlib
import os
import re
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress

import yaml

import ocrl
from ocrl.extras import extra_of
from ocrl.process import keep_freed_memory
from ocrl_studies.composition import find_configs

VERBS = {
    "collect_rollouts": "stages.collect_rollouts:collect_rollouts",
    "generate_scenes": "stages.generate_scenes:generate_scenes",
    "convert_data": "stages.convert_data:convert_data",
    "pretrain_backbone": "stages.pretrain_backbone:pretrain_backbone",
    "pretrain_slots": "stages.pretrain_slots:pretrain_slots",
    "train_agent": "stages.train_agent:train_agent",
    "evaluate_slots": "segmentation.evaluation:evaluate_slots",
    "evaluate_transfer": "transfer.evaluation:evaluate_transfer",
    "compare_encoders": "segmentation.cell:compare_encoders",
    "transfer_study": "transfer.cell:transfer_study",
    "probe_tokens": "probes.study:probe_tokens",
    "segment": "stages.segment:segment",
    "record_video": "stages.record_video:record_video",
    "play": "stages.play:play",
}
"""Verb -> its function, of the configuration ``configs/<verb>.yaml``. Imported once it is run."""

HELP = {"--help", "-h"}
COMPLETION = {"-sc", "--shell-completion"}


def main() -> None:
    """Run the verb that the command line begins with; without one, list them; list encoders."""
    word = (sys.argv[1:] or ["--help"])[0]
    verb = word.replace("-", "_")
    if word in COMPLETION:
        from ocrl_studies.completion import complete

        complete(VERBS)
    elif verb in VERBS:
        started = sys.argv
        sys.argv = [f"ocrl {word}", *started[2:]]
        run(verb, started)
    elif word == "encoders":
        show(encoders())
    elif word == "--version":
        print(f"ocrl {ocrl.__version__}")
    elif word in HELP:
        show(usage())
    else:
        print(f"error: there is no verb {word!r}: choose one of\n\n{usage()}", file=sys.stderr)
        sys.exit(2)


def run(verb: str, started: list[str] | None = None) -> None:
    """Run a verb with the arguments of this process.

    Args:
        verb: as in `VERBS`.
        started: the arguments that other processes of the same training are started with. None:
            the same.
    """
    if HELP.intersection(sys.argv[1:]):
        print_help(verb)
    keep_freed_memory()
    module, _, name = VERBS[verb].partition(":")
    try:
        command_line = importlib.import_module("ocrl_studies.command_line")
        stage = importlib.import_module(f"ocrl_studies.{module}")
    except ModuleNotFoundError as error:
        extra = extra_of(error.name or "")
        if extra is None:
            raise
        print(
            f"error: {verb} needs {error.name}: pip install 'ocrl[{extra}]', or 'ocrl[lab]' for "
            "all that any verb needs",
            file=sys.stderr,
        )
        sys.exit(2)
    function: Callable[..., object] = getattr(stage, name)
    command_line.script(verb, started)(function)()


def print_help(verb: str) -> None:
    """Print the help of a verb, and exit; do nothing if it is asked about what does not exist.

    What a verb works with is not imported: help is there at once.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from ocrl_studies.help_page import help_page

    with suppress(HydraException, OmegaConfBaseException):
        page = help_page(verb, [word for word in sys.argv[1:] if word not in HELP])
        show(page)
        sys.exit()


def show(page: str) -> None:
    """Print a page, or as much of it as is read."""
    try:
        print(page, flush=True)
    except BrokenPipeError:  # ``| head`` has seen enough; Python would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def usage() -> str:
    """Return the list of verbs, a line each."""
    width = max(map(len, VERBS))
    lines = [f"  {verb.replace('_', '-'):{width}}  {summary(verb)}" for verb in VERBS]
    lines += ["", "More: ocrl VERB --help. All encoders: ocrl encoders"]
    return "\n".join(["Usage: ocrl VERB [setting=value ...]", "", *lines])


def encoders() -> str:
    """Return what there is for ``encoder=``, with what each file says of itself."""
    from ocrl_studies.help_page import WIDTH, explained

    files = sorted((find_configs() / "encoder").glob("*.yaml"))
    width = max(len(path.stem) for path in files)
    lines = ["Encoders, for encoder=NAME:", ""]
    for path in files:
        lines += textwrap.wrap(
            f"{path.stem:{width}}  {dict(explained(path.read_text()))['']}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent=" " * (width + 4),
            break_on_hyphens=False,
            break_long_words=False,
        )
    return "\n".join([*lines, "", "Settings of one: ocrl pretrain-slots encoder=NAME --help"])


def summary(verb: str) -> str:
    """Return the first sentence of a verb's help.

    >>> summary("pretrain_slots")
    'train an encoder on rollouts, without labels'
    """
    text = (find_configs() / f"{verb}.yaml").read_text()
    header: str = yaml.safe_load(text)["hydra"]["help"]["header"]
    sentence = re.match(rf"{verb}: (.*?)\.\s", header, re.DOTALL)
    assert sentence, f"the help of {verb} begins with what it does"
    return " ".join(sentence[1].split())
