from pathlib import Path

import numpy as np
import pytest

from fucina.models.tokens import BadShard, Stream, TokenSplit, order_of
from tests.models.shards import END, VOCABULARY_SIZE, chain_documents, write_split

DOCUMENTS = [[1, 2, 3, END], [4, END], [], [5, 6, 7, 8, 9, END], [END]]


def split_of(folder: Path, shards: list[list[list[int]]], dtype: type = np.uint16) -> TokenSplit:
    write_split(folder, "train", shards, dtype)
    return TokenSplit(folder, "train", vocabulary_size=VOCABULARY_SIZE)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_rows_hold_every_token_once_a_pass(tmp_path: Path, dtype: type) -> None:
    split = split_of(tmp_path, [chain_documents(20, seed=1), chain_documents(7, seed=2)], dtype)
    stream = Stream(split, seed=5, end_token=END)

    read = stream.rows(0, -(-3 * split.num_tokens // 16), 16).labels_BT.ravel()

    everything = np.sort(np.concatenate([split.document(i) for i in range(split.num_documents)]))
    for number in range(3):
        in_pass = read[number * split.num_tokens : (number + 1) * split.num_tokens]
        assert (np.sort(in_pass) == everything).all()


def test_any_row_can_be_read_without_those_before(tmp_path: Path) -> None:
    split = split_of(tmp_path, [chain_documents(20, seed=1)])
    at_once = Stream(split, seed=5, end_token=END).rows(0, 200, 16)

    for first in (199, 3, 120, 0, 57):
        alone = Stream(split, seed=5, end_token=END).rows(first, 1, 16)
        for whole, part in zip(at_once, alone, strict=True):
            assert (whole[first] == part[0]).all()


def test_inputs_come_from_the_document_of_their_label(tmp_path: Path) -> None:
    stream = Stream(split_of(tmp_path, [DOCUMENTS]), seed=0, end_token=END, shuffled=False)

    rows = stream.rows(0, 2, 8)

    assert rows.labels_BT.tolist() == [[1, 2, 3, END, 4, END, 5, 6], [7, 8, 9, END, END, 1, 2, 3]]
    assert rows.inputs_BT.tolist() == [[END, 1, 2, 3, END, 4, END, 5], [6, 7, 8, 9, END, END, 1, 2]]
    assert rows.positions_BT.tolist() == [[0, 1, 2, 3, 0, 1, 0, 1], [0, 1, 2, 3, 0, 0, 1, 2]]


def test_each_pass_has_an_order_of_its_own() -> None:
    orders = [order_of(50, seed=seed, number=number).tolist() for seed in (1, 2) for number in (0, 1)]

    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert order_of(5, seed=20261120, number=0).tolist() == order_of(5, seed=20261120, number=0).tolist()


def test_a_split_smaller_than_a_row_is_repeated(tmp_path: Path) -> None:
    stream = Stream(split_of(tmp_path, [[[1, END]]]), seed=0, end_token=END)

    assert stream.rows(0, 1, 7).labels_BT.tolist() == [[1, END, 1, END, 1, END, 1]]


@pytest.mark.parametrize("shards", [[], [[]], [[[], []]]])
def test_nothing_to_read_is_refused(tmp_path: Path, shards: list[list[list[int]]]) -> None:
    split = split_of(tmp_path, shards)

    with pytest.raises(BadShard, match="train split holds 0 tokens"):
        Stream(split, seed=0, end_token=END)


def test_a_token_outside_the_vocabulary_is_refused(tmp_path: Path) -> None:
    stream = Stream(split_of(tmp_path, [[[1, 300, END]]]), seed=0, end_token=END)

    with pytest.raises(BadShard, match="holds token 300; the tokenizer has 257"):
        stream.rows(0, 1, 3)


def cut_short(folder: Path) -> None:
    path = folder / "train-00000.tokens.npy"
    path.write_bytes(path.read_bytes()[:-3])


def empty(folder: Path) -> None:
    (folder / "train-00000.tokens.npy").write_bytes(b"")


def binary(folder: Path) -> None:
    (folder / "train-00000.tokens.npy").write_bytes(bytes(range(256)) * 9)


def without_offsets(folder: Path) -> None:
    (folder / "train-00000.offsets.npy").unlink()


def offsets_of_another_shard(folder: Path) -> None:
    np.save(folder / "train-00000.offsets.npy", np.array([0, 99], dtype=np.int64))


def falling_offsets(folder: Path) -> None:
    np.save(folder / "train-00000.offsets.npy", np.array([0, 9, 4, 13], dtype=np.int64))


def float_tokens(folder: Path) -> None:
    np.save(folder / "train-00000.tokens.npy", np.zeros(13))


def objects(folder: Path) -> None:
    np.save(folder / "train-00000.tokens.npy", np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    "damage",
    [cut_short, empty, binary, without_offsets, offsets_of_another_shard, falling_offsets, float_tokens, objects],
)
def test_a_damaged_shard_is_named(tmp_path: Path, damage) -> None:
    write_split(tmp_path, "train", [DOCUMENTS])
    damage(tmp_path)

    with pytest.raises(BadShard, match=r"train-00000\.(tokens|offsets)\.npy") as caught:
        TokenSplit(tmp_path, "train", vocabulary_size=VOCABULARY_SIZE)

    assert "prepare" in caught.value.hint
    assert str(tmp_path) not in caught.value.message
