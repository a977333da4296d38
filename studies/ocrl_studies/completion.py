"""Completion of verbs and settings by a shell: Hydra's, of which ``ocrl`` is one program."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection

from ocrl_studies.composition import store_defaults
from ocrl_studies.hydra_command import hydra_command


def complete(verbs: Collection[str]) -> None:
    """Do what the arguments of this process say: ``-sc install=bash``, or ``-sc query=bash``.

    Shells give the line that they complete as ``COMP_LINE``. Its first word is ``ocrl``; the verb
    after it says which settings there are.

    Args:
        verbs: all there are, each with a YAML file of its name.
    """
    program, _, line = os.environ.get("COMP_LINE", "").lstrip().partition(" ")
    word, is_typed, settings = line.lstrip().partition(" ")
    verb = word.replace("-", "_")
    if sys.argv[-1].startswith("query=") and not is_typed:
        print(" ".join(each.replace("_", "-") for each in verbs))
        return
    os.environ["COMP_LINE"] = f"{program} {settings}"
    store_defaults()
    config = verb if verb in verbs else next(iter(verbs))
    hydra_command(config, lambda cfg: None)()
