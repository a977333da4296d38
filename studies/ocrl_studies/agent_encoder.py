"""The encoder that an agent starts with, and where its weights are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from ocrl.checkpoints import builder, read_checkpoint, save_encoder
from ocrl.checkpoints.building import class_path
from ocrl.encoder import Encoder
from ocrl.encoders.positions import TokenPositions
from ocrl.errors import UsageError
from ocrl_studies.encoders import make_encoder
from ocrl_studies.invocation import invocation
from ocrl_studies.plain import plain
from ocrl_studies.trust import load_trusted

OWN = "encoder.safetensors"
"""An agent's own encoder, in its folder, where it is not simply one that was pretrained."""


@dataclass(frozen=True)
class AgentEncoder:
    """What is known of an encoder before it is made.

    Attributes:
        name: of it.
        model: what makes it: ``_target_`` and arguments; None: agents read the simulator's truth.
        image_size: (height, width) of the frames that it takes.
        finetune: it is trained along with the policy.
        positions: its tokens say where they look, too.
        wrapper: what it is wrapped in besides, if anything.
        checkpoint: of its pretrained weights; None: they are random ones, of the seed.
        folder: of the agent. A run that goes on has the encoder there.
        seed: of the agent.
        device: where it runs.
        trusted: packages of one's own whose encoders may be built.
    """

    name: str
    model: Mapping[str, Any] | None
    image_size: tuple[int, ...]
    finetune: bool
    positions: bool
    wrapper: Mapping[str, Any] | None
    checkpoint: Path | None
    folder: Path
    seed: int
    device: str
    trusted: Sequence[str]

    @classmethod
    def of(cls, cfg: DictConfig) -> AgentEncoder:
        """Return the encoder of a configuration like ``configs/train_agent.yaml``."""
        encoder = plain(cfg.encoder)
        return cls(
            encoder["name"],
            encoder["model"],
            tuple(encoder["image_size"]),
            encoder["finetune"],
            encoder["positions"],
            encoder["wrapper"],
            None if encoder["pretrained_as"] is None else Path(cfg.checkpoint),
            Path(cfg.run_dir),
            cfg.seed,
            cfg.device,
            tuple(cfg.trusted),
        )

    @property
    def wrappers(self) -> list[Mapping[str, Any]]:
        """What it is wrapped in, from the inside out."""
        positions = [{"_target_": class_path(TokenPositions)}] if self.positions else []
        return [*positions, *([] if self.wrapper is None else [self.wrapper])]

    @property
    def own(self) -> Path:
        """Where it is kept if pretraining did not leave it on disk as it is."""
        return self.folder / OWN

    @property
    def is_missing(self) -> bool:
        """Say whether it was not pretrained yet."""
        found = self.checkpoint is None or self.checkpoint.exists() or self.own.exists()
        return self.model is not None and not found

    def open(self) -> Encoder | None:
        """Return it; None where the agent reads the simulator's truth.

        Raises:
            UsageError: there is no checkpoint, or it holds another encoder; or the simulator's
                truth is to be what encoders alone can be.
        """
        if self.model is None:
            self._check_truth()
            return None
        if self.own.exists():
            return load_trusted(self.own, self.trusted).to(self.device)
        if self.checkpoint is None:
            torch.manual_seed(self.seed)
            encoder = make_encoder(self.model)
        else:
            encoder = load_trusted(self.checkpoint, self.trusted)
            self._check(encoder, self.checkpoint, self.model)
        for wrapper in self.wrappers:
            encoder = instantiate(wrapper, encoder)
        return encoder.eval().requires_grad_(False).to(self.device)

    def keep(self, encoder: Encoder | None) -> Path | None:
        """Return where the encoder that was opened is, for the agent's file to refer to.

        What pretraining did not leave on disk as it is, is saved in the agent's folder.
        """
        if encoder is None or self.model is None:
            return None
        if self.checkpoint is not None and not self.wrappers:
            return self.checkpoint
        if not self.own.exists():
            config = dict(self.model)
            for wrapper in self.wrappers:
                config = {**wrapper, "encoder": config}
            save_encoder(self.own, encoder, config, {"seed": self.seed})
        return self.own

    def _check_truth(self) -> None:
        for key, is_wanted, lacks in (
            ("finetune", self.finetune, "weights to train along"),
            ("positions", self.positions, "masks to take positions from"),
        ):
            if is_wanted:
                raise UsageError(
                    f"encoder={self.name} has no {lacks}: leave out encoder.{key}, or choose "
                    "another encoder"
                )

    def _check(self, encoder: Encoder, checkpoint: Path, model: Mapping[str, Any]) -> None:
        """Raise UsageError unless a loaded encoder is what the configuration names."""
        for name, actual, wanted in (
            ("is a", builder(read_checkpoint(checkpoint).config), builder(model)),
            ("takes images of", encoder.image_size, self.image_size),
        ):
            if actual != wanted:
                raise UsageError(
                    f"{checkpoint} {name} {actual}, encoder={self.name} {name} {wanted}: name a "
                    "checkpoint of that encoder, or choose the encoder of that checkpoint"
                )


def find_encoder(cfg: DictConfig) -> AgentEncoder:
    """Return the encoder of a configuration, or say which command makes it.

    Args:
        cfg: as ``configs/train_agent.yaml``.

    Raises:
        UsageError: it was not pretrained.
    """
    encoder = AgentEncoder.of(cfg)
    if encoder.is_missing:
        raise UsageError(
            f"there is no encoder at {encoder.checkpoint}: make it with  "
            f"{invocation('pretrain_slots', cfg)}  or name another with checkpoint=..."
        )
    return encoder
