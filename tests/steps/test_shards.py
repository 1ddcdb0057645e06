"""Prepared rows on disk: the same rows give the same files however they came, and come back bit for bit."""

from __future__ import annotations

from pathlib import Path

import dataset
import numpy as np
import pytest
import shard_file
from dataset import Part, PartWriter
from encoded_rows import EncodedRows
from failure import BadInput

COLUMNS = ["a", "b", "c", "d", "e"]


def rows(count: int, *, sparse: bool) -> Part:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(count, len(COLUMNS))).astype(np.float32)
    features[generator.random(features.shape) < (0.9 if sparse else 0.1)] = 0
    features[0, :3] = [np.nan, -0.0, 5e-45]
    return Part(features, generator.normal(size=count), generator.random(count))


def bits(part: Part) -> tuple[bytes, bytes, bytes]:
    return part.features.tobytes(), part.target.tobytes(), part.weight.tobytes()


def written(folder: Path, part: Part, sizes: list[int]) -> Path:
    """The rows, given in pieces of these sizes."""
    writer, begin = PartWriter(folder, {"columns": COLUMNS, "problem": "regression"}), 0
    for size in sizes:
        piece = part.cut(slice(begin, begin + size))
        given = Part(piece.features.copy(), piece.target.copy(), piece.weight.copy())
        writer.append(given.features, given.target, given.weight)
        given.features[:] = 7  # the caller's array is the caller's
        begin += size
    assert begin == len(part.target)
    writer.close()
    return folder


@pytest.fixture
def tens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "ROWS_PER_SHARD", 10)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.usefixtures("tens")
def test_shards_do_not_depend_on_how_the_rows_came_and_come_back_bit_for_bit(tmp_path: Path, sparse: bool) -> None:
    part = rows(33, sparse=sparse)
    one = written(tmp_path / "one", part, [33])
    many = written(tmp_path / "many", part, [1, 0, 11, 8, 10, 3])
    files = sorted(file.name for file in one.iterdir())
    assert files == ["about.json", *(f"shard-0000{number}.npz" for number in range(4))]
    assert all((one / name).read_bytes() == (many / name).read_bytes() for name in files)
    assert [len(shard.target) for shard in dataset.shards(one)] == [10, 10, 10, 3]
    loaded, about = dataset.load(many)
    assert bits(loaded) == bits(part)
    assert about == {"columns": COLUMNS, "problem": "regression", "rows": 33, "shards": 4}


@pytest.mark.usefixtures("tens")
def test_a_full_last_shard_is_followed_by_no_empty_one_and_no_rows_are_one_empty_shard(tmp_path: Path) -> None:
    assert len(dataset.shards(written(tmp_path / "full", rows(20, sparse=False), [20]))) == 2
    none = written(tmp_path / "none", rows(1, sparse=False).cut(slice(0)), [])
    assert [shard.features.shape for shard in dataset.shards(none)] == [(0, len(COLUMNS))]


def test_one_hot_columns_are_stored_by_their_ones(tmp_path: Path) -> None:
    """Six categorical columns of 35 values: 210 columns, of which a row has six that are not zero."""
    generator = np.random.default_rng(0)
    features = np.zeros((2000, 210), dtype=np.float32)
    for column in range(6):
        features[np.arange(2000), 35 * column + generator.integers(0, 35, 2000)] = 1
    shard_file.write(tmp_path / "shard.npz", EncodedRows.of_dense(features), np.zeros(2000), np.ones(2000))
    assert (tmp_path / "shard.npz").stat().st_size < 2000 * (6 * 8 + 3 * 8) + 2000
    np.testing.assert_array_equal(shard_file.read(tmp_path / "shard.npz")[0], features)


@pytest.mark.usefixtures("tens")
def test_a_part_that_is_not_whole_is_refused_by_name(tmp_path: Path) -> None:
    folder = written(tmp_path / "train", rows(33, sparse=False), [33])
    (folder / "shard-00001.npz").unlink()
    with pytest.raises(BadInput, match=r"train: shard-00001\.npz of 4 cannot be read"):
        dataset.load(folder)
    (folder / "shard-00001.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(BadInput, match=r"train: shard-00001\.npz of 4 cannot be read"):
        dataset.load(folder)
    (folder / "about.json").unlink()  # as where the writer was interrupted
    with pytest.raises(BadInput, match=r"train: no prepared rows .* run prepare\.py first"):
        dataset.shards(folder)


def test_rows_whose_ones_are_places_make_the_file_of_the_dense_rows(tmp_path: Path) -> None:
    """Two columns of numbers (one of them with bits that must stay), then groups of three and of forty."""
    generator = np.random.default_rng(1)
    for name, numbers in {"sparse": np.zeros((50, 2), np.float32), "dense": np.ones((50, 2), np.float32)}.items():
        numbers[:3, 1] = [np.nan, -0.0, 5e-45]
        width = 45 if name == "sparse" else 6
        ones = np.stack([2 + generator.integers(0, 3, 50), 5 + generator.integers(0, width - 5, 50)], axis=1).astype(np.int32)
        by_hand = np.zeros((50, width), dtype=np.float32)
        by_hand[:, :2] = numbers
        for row in range(50):
            by_hand[row, ones[row]] = 1
        for kind, given in {"places": EncodedRows(numbers, ones, width), "matrix": EncodedRows.of_dense(by_hand)}.items():
            shard_file.write(tmp_path / f"{name}-{kind}.npz", given, np.zeros(50), np.ones(50))
        assert (tmp_path / f"{name}-places.npz").read_bytes() == (tmp_path / f"{name}-matrix.npz").read_bytes()
        with np.load(tmp_path / f"{name}-places.npz") as written:
            assert ("features" in written) == (name == "dense")
        assert shard_file.read(tmp_path / f"{name}-places.npz")[0].tobytes() == by_hand.tobytes()
