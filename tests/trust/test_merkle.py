"""Trees of every size: proofs hold, and no other leaf, place, size or path passes."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fucina.trust.merkle import consistency_path, inclusion_path, is_consistent, leaf_hash, node_hash, root_of
from fucina.trust.merkle import root_from_path as root_from


def leaves_of(size):
    return [leaf_hash(str(number).encode()) for number in range(size)]


def plain_root(leaves):
    """The definition in RFC 6962, word for word: the largest power of two smaller than the size splits a tree."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(plain_root(leaves[:split]), plain_root(leaves[split:]))


@given(st.integers(0, 200))
def test_roots_are_those_of_the_definition(size):
    assert root_of(leaves_of(size)) == plain_root(leaves_of(size))


@given(st.data())
def test_every_leaf_is_shown_to_be_in_the_tree(data):
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    path = inclusion_path(index, leaves)
    assert root_from(leaves[index], index=index, size=size, path=path) == root_of(leaves)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert _fails(leaves[index], other, size, path, root_of(leaves))
        assert _fails(leaves[other], index, size, path, root_of(leaves))
    assert _fails(leaves[index], index, size, (*path, leaves[0]), root_of(leaves))
    if path:
        assert _fails(leaves[index], index, size, path[:-1], root_of(leaves))


def _fails(leaf, index, size, path, root):
    try:
        return root_from(leaf, index=index, size=size, path=path) != root
    except ValueError:
        return True


@given(st.data())
def test_a_log_that_only_grew_is_consistent_and_no_other_is(data):
    second = data.draw(st.integers(1, 130))
    first = data.draw(st.integers(1, second))
    leaves = leaves_of(second)
    path = consistency_path(first, leaves)
    sizes = {"first": first, "second": second, "path": path}
    assert is_consistent(first_root=root_of(leaves[:first]), second_root=root_of(leaves), **sizes)
    rewritten = leaves.copy()
    rewritten[data.draw(st.integers(0, first - 1))] = leaf_hash(b"another")
    assert not is_consistent(first_root=root_of(leaves[:first]), second_root=root_of(rewritten), **sizes)
    sizes["path"] = consistency_path(first, rewritten)
    assert not is_consistent(first_root=root_of(leaves[:first]), second_root=root_of(rewritten), **sizes)


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_a_place_outside_the_tree_is_refused(index):
    with pytest.raises(ValueError, match="of 3"):
        inclusion_path(index, leaves_of(3))
    with pytest.raises(ValueError, match="of 3"):
        root_from(leaves_of(1)[0], index=index, size=3, path=())
