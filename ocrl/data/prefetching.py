"""Batches that are loaded while the one before is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch.utils.data import DataLoader


class Ahead(Iterable[Any]):
    """The batches of a loader, each loaded by a thread while the one before is used.

    Decoding and resizing release the interpreter's lock, so that a training step hardly waits for
    its clips, without the start, the memory and the copies of worker processes. Order and content
    are those of the loader.

    Args:
        loader: has worker processes of its own or none.

    Example:
        >>> loader = DataLoader(range(5), batch_size=2)
        >>> [batch.tolist() for batch in Ahead(loader)], len(Ahead(loader))
        ([[0, 1], [2, 3], [4]], 3)
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        batches, end = iter(self.loader), object()
        with ThreadPoolExecutor(1, "loader") as thread:
            coming = thread.submit(next, batches, end)
            while (batch := coming.result()) is not end:
                coming = thread.submit(next, batches, end)
                yield batch
