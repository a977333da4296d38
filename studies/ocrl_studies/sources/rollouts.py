"""Rollouts of an environment as a source of videos, collected when they are needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gymnasium.vector import AutoresetMode

from ocrl.data.mapped import MappedSegments
from ocrl.data.rollout_videos import load_rollouts
from ocrl.data.rollouts import collect_rollouts, dataset_folder
from ocrl.data.videos import Videos
from ocrl.reading import read_object
from ocrl_envs.protocols import SEGMENT_STRIDE
from ocrl_studies.env_settings import EnvSettings, Variation
from ocrl_studies.env_wrappers import wrapper_settings
from ocrl_studies.environments import make_environments
from ocrl_studies.invocation import ROLLOUTS, same_words
from ocrl_studies.manifest import check
from ocrl_studies.rollouts import (
    SegmentKinds,
    ground_truth,
    merge_stuff,
    rollout_policy,
    segment_kinds,
    shrink,
)
from ocrl_studies.sources.base import Source

SETTINGS = "manifest.json"
KINDS = "segment_kinds.json"


class Rollouts(Source):
    """Rollouts of an environment: trained on train layouts, scored on validation layouts."""

    extra_scores = ("sizes",)

    def __init__(
        self,
        *,
        run_name: str,
        env: Mapping[str, Any],
        seed: int,
        policy: str,
        num_envs: int,
        num_steps: Mapping[str, int],
        skip_first: int,
        image_size: tuple[int, int] | None,
        in_memory: bool,
        apart: str | Sequence[str],
    ) -> None:
        self.run_name = run_name
        # encoders see frames alone, whatever their agents observe besides
        self.env = EnvSettings.of(env).held(velocity=False, pose=False)
        self.seed = seed
        self.policy = policy
        self.num_envs = num_envs
        self.num_steps = num_steps
        self.skip_first = skip_first
        # worlds of our own are asked for frames of a size, and draw no larger ones
        self.image_size: tuple[int, int] | None = None
        if image_size is not None and self.env.simulator == "gymnasium":
            self.image_size = image_size[0], image_size[1]
        self.in_memory = in_memory
        self.apart = [apart] if isinstance(apart, str) else apart

    @property
    def num_stuff(self) -> int:
        """True segments 0 .. num_stuff - 1 are no things."""
        num_stuff = self.kinds.num_stuff
        return num_stuff * SEGMENT_STRIDE if self.apart else num_stuff

    @property
    def kinds(self) -> SegmentKinds:
        """Kinds of the true segments, as the world named them when rollouts were collected.

        Raises:
            UsageError: no rollouts were collected, or by an earlier version.
        """
        paths = [self._kinds_path(str(split)) for split in self.num_steps]
        path = next((path for path in paths if path.exists()), paths[0])
        advice = "collect these rollouts again with scripts/collect_rollouts.py overwrite=true"
        fields = {"names": list[str], "num_stuff": int}
        kinds = read_object(path, "kinds of segments", advice, fields=fields)
        return SegmentKinds(tuple(kinds["names"]), kinds["num_stuff"])

    def training_videos(self) -> Videos:
        """Return rollouts on train layouts, collected first if there are none."""
        return self._videos("train")

    def scoring_videos(self) -> Videos:
        """Return rollouts on validation layouts, collected first if there are none."""
        return self._videos("validation")

    def dataset_id(self, split: str) -> str:
        """Return the Minari name of the rollouts of a split."""
        return f"ocrl/{self.run_name}/{split}-v0"

    def collect(self, split: str, *, overwrite: bool = False) -> None:
        """Collect rollouts on the layouts of a split, unless these are there.

        Raises:
            UsageError: there are others already, and ``overwrite`` is false.
        """
        if not overwrite and self._is_there(split):
            print(f"the {split} rollouts are there already; overwrite=true collects them again")
            return
        environments = make_environments(
            self.env, self._variation(split), self.num_envs, AutoresetMode.NEXT_STEP
        )
        if self.image_size is not None:
            environments = shrink(environments, self.image_size)
        collect_rollouts(
            environments,
            rollout_policy(self.policy, environments, self.seed),
            self.dataset_id(split),
            self.num_steps[split],
            seed=self.seed,
            extras=ground_truth(environments),
            skip_first=self.skip_first,
            description=f"{self.policy} policy in {self.env.id}, {split} split",
            policy_name=self.policy,
            notes={
                KINDS: json.dumps(segment_kinds(environments)._asdict()),
                SETTINGS: json.dumps(self._settings(split), indent=2),
            },
            overwrite=overwrite,
        )
        environments.close()

    def _is_there(self, split: str) -> bool:
        """Say whether rollouts of these settings and this seed were collected."""
        path = self._settings_path(split)
        if not path.exists():
            return False
        list_of_rollouts = read_object(path.parent / "data/metadata.json", "list of rollouts")
        settings = json.loads(json.dumps(self._settings(split)))
        return (
            read_object(path, "settings of rollouts") == settings
            and list_of_rollouts.get("seed") == self.seed
        )

    def _variation(self, split: str) -> Variation:
        return self.env.splits["rollouts" if split == "train" else split]

    def _settings(self, split: str) -> dict[str, Any]:
        wrappers = wrapper_settings(self.env)
        return {
            "data.policy": self.policy,
            "data.num_steps": self.num_steps[split],
            **({"data.skip_first": self.skip_first} if self.skip_first else {}),
            "env.id": self.env.id,
            "env.kwargs": self.env.kwargs,
            "variation": self._variation(split),
            **({"data.image_size": self.image_size} if self.image_size else {}),
            **({"wrappers": wrappers} if wrappers else {}),
        }

    def _settings_path(self, split: str) -> Path:
        return dataset_folder(self.dataset_id(split)) / SETTINGS

    def _kinds_path(self, split: str) -> Path:
        return dataset_folder(self.dataset_id(split)) / KINDS

    def _videos(self, split: str) -> Videos:
        dataset_id = self.dataset_id(split)
        if not dataset_folder(dataset_id).exists():
            print(f"There are no rollouts {dataset_id} yet: collecting them.")
            self.collect(split)
        check(
            self._settings_path(split),
            self._settings(split),
            f"the rollouts {dataset_id}",
            "give others a name of their own with data.run_name=..., or replace these with  "
            f"{same_words('collect_rollouts', ROLLOUTS)} split={split} overwrite=true",
        )
        merge = partial(merge_stuff, kinds=self.kinds, apart=self.apart)
        return MappedSegments(load_rollouts(dataset_id, in_memory=self.in_memory), merge)
