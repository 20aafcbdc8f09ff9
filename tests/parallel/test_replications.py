"""Pieces of a study."""

from __future__ import annotations

from bayesmix.parallel.replications import pieces


def test_pieces_add_up_and_have_seeds_of_their_own():
    found = pieces(250, 100, seed=1)
    assert [count for count, _ in found] == [100, 100, 50]
    assert len({seed for _, seed in found}) == 3
    assert found == pieces(250, 100, seed=1)
    assert found[:2] == pieces(200, 100, seed=1)
    assert not {seed for _, seed in found} & {seed for _, seed in pieces(250, 100, seed=2)}
