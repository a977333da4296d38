"""Several processes on one machine, as nodes or devices: they train as one with larger batches."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from test_pretraining import SETTINGS, Noisy, run

NAMES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK")


class Quiet(Noisy):
    """Without noise, which larger batches would draw otherwise."""

    def losses(self, batch: Any) -> dict[str, torch.Tensor]:
        return {"error": (self.encode_video(batch["video"]).tokens - 1).square().mean()}


def quiet() -> Quiet:
    torch.manual_seed(0)
    return Quiet()


def process(rank: int, nodes: bool, port: int, folder: Path, max_steps: int, resume: bool) -> None:
    """Be one of two processes, as Lightning starts them, or as each node's command does."""
    torch.set_num_threads(1)
    node, local = (rank, 0) if nodes else (0, rank)
    values = ("127.0.0.1", str(port), str(node), str(local))
    os.environ.update(zip(NAMES, values, strict=True))
    devices, num_nodes = (1, 2) if nodes else (2, 1)
    settings = dataclasses.replace(
        SETTINGS, devices=devices, num_nodes=num_nodes, max_steps=max_steps
    )
    encoder = run(folder, encoder=quiet(), settings=settings, resume=resume)
    torch.save(encoder.state_dict(), folder / f"{rank}.pt")


def both(*arguments: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes, *others = arguments
    # not a fork of this process: threads of tests before would be missing in it
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "lightning"])
    started = [
        context.Process(target=process, args=(rank, nodes, port, *others)) for rank in range(2)
    ]
    for each in started:
        each.start()
    for each in started:
        each.join(120)
    assert [each.exitcode for each in started] == [0, 0]


@pytest.mark.parametrize("nodes", [False, True])
def test_two_processes_equal_one_with_twice_the_batch(nodes: bool, tmp_path: Path) -> None:
    larger = dataclasses.replace(SETTINGS, batch_size=2 * SETTINGS.batch_size)
    one = run(tmp_path / "one", encoder=quiet(), settings=larger)
    both(nodes, tmp_path / "two", SETTINGS.max_steps, False)
    first, second = (torch.load(tmp_path / f"two/{i}.pt", weights_only=True) for i in range(2))
    for name, weights in one.state_dict().items():
        torch.testing.assert_close(first[name], weights, atol=1e-6, rtol=1e-5)
        assert torch.equal(first[name], second[name])
    assert not torch.equal(one.linear.weight, quiet().linear.weight)
    if nodes:
        return
    # without the last epoch, as an interruption leaves it, both go on from the one before
    (tmp_path / "two/last.ckpt").unlink()
    both(nodes, tmp_path / "two", SETTINGS.max_steps, True)
    again = torch.load(tmp_path / "two/1.pt", weights_only=True)
    assert all(torch.equal(again[name], first[name]) for name in first)
