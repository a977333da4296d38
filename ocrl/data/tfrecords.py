"""TFRecord files of ``tf.train.Example`` messages, read without tensorflow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

LARGEST_RECORD = 2**30
"""Bytes of a video with all that is known of it; one of MOVi has 1 % of them."""


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a TFRecord file.

    A record is its length (8 bytes, little endian), a checksum (4), the data, a checksum (4).

    Raises:
        EOFError: the file ends within a record.
        ValueError: a record is larger than any video.
    """
    while header := file.read(12):
        length = int.from_bytes(header[:8], "little")
        if length > LARGEST_RECORD:
            raise ValueError(f"a record of {length} bytes, expected up to {LARGEST_RECORD}")
        data = file.read(length)
        if len(header) < 12 or len(data) < length or len(file.read(4)) < 4:
            raise EOFError("it ends within a record")
        yield data


def bytes_features(example: bytes) -> dict[str, list[bytes]]:
    """Return the byte strings of a ``tf.train.Example`` by name; numbers are left out.

    Example (one feature ``a`` with the values ``x`` and ``yz``):
        >>> bytes_features(bytes.fromhex("0a100a0e0a01611209 0a070a01780a02797a".replace(" ", "")))
        {'a': [b'x', b'yz']}
    """
    features = {}
    for name, feature in _features(example):
        for values in _nested(feature, 1):
            features[name] = _nested(values, 1)
    return features


def numbers(example: bytes, wanted: str) -> NDArray[Any]:
    """Return the numbers of a feature, float32 (N,) or int64 (N,).

    Raises:
        KeyError: there is no such feature, or it has no numbers.

    Example (one feature ``a`` with the integers 1 and 300):
        >>> numbers(bytes.fromhex("0a0e0a0c0a016112071a050a0301ac02"), "a")
        array([  1, 300])
    """
    for name, feature in _features(example):
        if name == wanted:
            for values in _nested(feature, 2):
                return np.frombuffer(_single(values, 1), "<f4")
            for values in _nested(feature, 3):
                return _varints(_single(values, 1))
    raise KeyError(wanted)


def _features(example: bytes) -> Iterator[tuple[str, bytes]]:
    # Example { Features features = 1 }, Features { map<string, Feature> feature = 1 },
    # Feature { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3 },
    # each { repeated value = 1 }, numbers packed.
    for entry in _nested(_single(example, 1), 1):
        yield _single(entry, 1).decode(), _single(entry, 2)


def _single(message: bytes, field: int) -> bytes:
    return b"".join(_nested(message, field)[-1:])


def _nested(message: bytes, field: int) -> list[bytes]:
    """Return the values of a length-delimited field of a protocol buffer message."""
    values = []
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 2:
            length, place = _varint(message, place)
            if tag >> 3 == field:
                values.append(message[place : place + length])
            place += length
        elif kind == 0:
            _, place = _varint(message, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError(f"no tf.train.Example: wire type {kind}")
    if place > len(message):
        raise ValueError("no tf.train.Example: a field ends beyond its message")
    return values


def _varints(packed: bytes) -> NDArray[np.int64]:
    """Return numbers stored one after another, seven bits a byte."""
    digits = np.frombuffer(packed, np.uint8)
    starts = np.flatnonzero(np.append(True, digits < 0x80)[: len(digits)])
    if not len(starts):
        return np.zeros(0, np.int64)
    place = np.arange(len(digits)) - np.repeat(starts, np.diff(starts, append=len(digits)))
    return np.add.reduceat((digits & 0x7F).astype(np.int64) << (7 * place), starts)


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Return a number stored seven bits a byte, and the place after it."""
    value = shift = 0
    while place < len(message):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place
    raise ValueError("no tf.train.Example: a number ends beyond its message")
