"""Batches that are loaded ahead: in order, one ahead, and no thread is left behind."""

import threading

import pytest
from torch.utils.data import DataLoader, Dataset

from ocrl.data.prefetching import Ahead


class Numbers(Dataset):
    """Tells which were asked for, and breaks at one."""

    def __init__(self, broken=None):
        self.asked, self.broken = [], broken
        self.is_asked = threading.Semaphore(0)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        if index == self.broken:
            raise OSError(f"{index} is broken")
        self.asked.append(index)
        self.is_asked.release()
        return index


def ahead(numbers):
    return Ahead(DataLoader(numbers, batch_size=None))


def test_the_next_batch_is_loaded_while_one_is_used():
    numbers = Numbers()
    batches = iter(ahead(numbers))
    assert numbers.asked == []
    for given in (0, 1, 2):
        assert int(next(batches)) == given
        while len(numbers.asked) < given + 2:
            assert numbers.is_asked.acquire(timeout=60)
        assert numbers.asked == list(range(given + 2))


def test_an_error_comes_when_its_batch_is_due():
    batches = iter(ahead(Numbers(broken=2)))
    assert [int(next(batches)), int(next(batches))] == [0, 1]
    with pytest.raises(OSError, match="2 is broken"):
        next(batches)


def test_who_stops_early_leaves_no_thread():
    before = threading.active_count()
    batches = iter(ahead(Numbers()))
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()
    assert threading.active_count() == before
