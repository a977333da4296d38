"""Agents on the Hugging Face hub: agent, encoder, a model card and, if there is one, a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ocrl.checkpoints.encoders import sha256 as file_sha256
from ocrl.checkpoints.hub import ENCODER, card, fetch, publish
from ocrl.errors import UsageError
from ocrl.hub_files import check_sha256
from ocrl_agents.checkpoints import find_encoder, read_agent
from ocrl_agents.player import Agent, load_agent

AGENT = "agent.safetensors"
"""The file of an agent in a repository."""

VIDEO = "agent.mp4"
"""The video beside it, which the hub shows on top of the card."""


def push_to_hub(
    path: str | Path,
    repository: str,
    *,
    encoder: str | Path | None = None,
    video: str | Path | None = None,
    private: bool = False,
) -> str:
    """Publish an agent together with its encoder and a card that says what it is.

    Args:
        path: what training left, such as ``last.safetensors``.
        repository: "user/name", made if it is not there.
        encoder: see `ocrl_agents.load_agent`.
        video: an mp4 of the agent, as ``scripts/record_video.py`` makes it.
        private: make it visible to its owner alone.

    Returns:
        The address of the commit, whose last part is what `from_pretrained` takes as ``revision``.

    Raises:
        UsageError: a file is missing or no agent, or the hub refuses.
    """
    checkpoint = find_encoder(read_agent(path), encoder)
    files = {AGENT: Path(path)}
    if checkpoint is not None:
        files[ENCODER] = checkpoint
    if video is not None:
        if Path(video).suffix != ".mp4":
            raise UsageError(f"{video} is no mp4, which is what the hub shows: record one")
        files[VIDEO] = Path(video)
    return publish(repository, files, agent_card(path, repository), private)


def from_pretrained(
    source: str | Path,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    num_envs: int = 1,
    device: str = "cpu",
    trusted: Sequence[str] = ("ocrl.", "ocrl_agents."),
) -> Agent:
    """Load an agent of the hub, fetched once, or of a folder laid out like a repository.

    Args:
        source: "user/name", or a folder.
        revision: see `ocrl.checkpoints.hub.from_pretrained`.
        sha256: of the agent's file, which names its encoder by hash; the card has it. None:
            whatever there is.
        num_envs: see `ocrl_agents.load_agent`.
        device: likewise.
        trusted: likewise.

    Raises:
        UsageError: it cannot be fetched, is another than meant, or is no agent.
    """
    folder = fetch(source, [AGENT, ENCODER], revision)
    if sha256 is not None:
        check_sha256(folder / AGENT, sha256)
    beside = folder / ENCODER
    return load_agent(
        folder / AGENT,
        encoder=beside if beside.exists() else None,
        num_envs=num_envs,
        device=device,
        trusted=trusted,
    )


def agent_card(path: str | Path, repository: str) -> str:
    """Return the model card of an agent: how to load it, its scores and its configuration."""
    header = read_agent(path).header
    notes = header["notes"]
    env = notes.get("env")
    name = env.get("id") if isinstance(env, dict) else env
    where = f"`{name}`" if name else "an environment with RGB frames"
    return card(
        repository,
        f"An agent over the tokens of an object-centric encoder, trained with PPO for "
        f"{header['num_timesteps']:,} steps in {where}.",
        f'agent = ocrl_agents.hub.from_pretrained("{repository}", sha256="{file_sha256(path)}")',
        {"Evaluation while training": header["scores"]},
        {"Policy": header["policy"], "Configuration": notes},
    )
