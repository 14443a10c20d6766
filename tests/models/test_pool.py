"""The pool: what a row wrote is read back whatever leaves or grows beside it, without holes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from scrubjay.models.pool import BLOCK, Pool, blocks_for  # noqa: E402
from scrubjay.models.rows import Row  # noqa: E402

LAYERS, HEADS, SIZE = 2, 1, 4


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3 * BLOCK), st.integers(0, 5)), min_size=1, max_size=25))
def test_rows_read_back_what_they_wrote(story):
    pool = Pool(LAYERS, HEADS, SIZE, torch.float32)
    told: dict[int, torch.Tensor] = {}
    rows: list[Row] = []
    for length, what in story:
        if what < 4 or not rows:  # a row comes with two runs of keys and values
            row = Row([])
            rows.append(row)
            pool.rows.append(row)
            pool.hold([(row, length)])
            kv = torch.randn(2, LAYERS, HEADS, length, SIZE)
            cut = length // 3
            pool.write(row, [kv[:, :, :, :cut], kv[:, :, :, cut:]])
            row.stored, told[id(row)] = length, kv
        else:
            gone = {id(rows.pop(length % len(rows)))}
            pool.remove(gone)
        for row in rows:
            kv, first = told[id(row)], row.stored // 2
            assert torch.equal(pool.read(row), kv)
            assert torch.equal(pool.read(row, first), kv[:, :, :, first:])
            assert torch.equal(pool.read(row, layers=slice(-1, None)), kv[:, -1:])
            assert len(row.blocks) == blocks_for(row.stored)
        blocks = sorted(b for row in rows for b in row.blocks)
        assert blocks == list(range(len(pool.owners)))
    pool.remove({id(row) for row in rows})
    assert pool.kv.numel() == len(pool.owners) == 0


def test_a_row_that_grows_takes_another_block_only_when_its_last_is_full():
    pool, row, other = Pool(LAYERS, HEADS, SIZE, torch.float32), Row([]), Row([])
    pool.rows += [row, other]
    for n, blocks in ((1, 1), (BLOCK, 1), (BLOCK + 1, 2), (2 * BLOCK, 2), (3 * BLOCK, 3)):
        pool.hold([(row, n), (other, 1)])
        assert len(row.blocks) == blocks
    assert other.blocks == [1]
    assert row.blocks == [0, 2, 3]
