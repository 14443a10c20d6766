import asyncio
import hashlib
import itertools
import json
import random
import signal
import subprocess
import sys

import bm25s
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrubjay.core import IndexMismatch, InputError, Link, ModelError, Passage
from scrubjay.retrieval import Index, build_index, reciprocal_rank_fusion

# Words that a stemmer leaves alone, that are no stop words and need no folding.
WORDS = ["".join(x) + "x" for x in itertools.product("bdkmt", "ao", "bdkmt", "ao")]


class HashEncoder:
    """A bag of words, each word a fixed random direction."""

    dimensions = 32

    def __init__(self, name="hash@1"):
        self.name, self.batches = name, []

    def encode(self, texts, *, query=False):
        if query:
            self.batches.append(list(texts))
        rows = [sum((_direction(w) for w in t.lower().split()), np.full(32, 1e-3)) for t in texts]
        stacked = np.array(rows, np.float32)
        return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


def _direction(word):
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
    return np.random.Generator(np.random.PCG64(seed)).normal(size=32)


def corpus(n=300, seed=1):
    rng = random.Random(seed)
    return [
        Passage(f"p{i:03}", " ".join(rng.choices(WORDS, k=rng.randint(4, 60)))) for i in range(n)
    ]


def run(index, *queries, k=10, where=None):
    async def go():
        return await asyncio.gather(*(index.search(q, k, where) for q in queries))

    return asyncio.run(go())


def ranking(hits):
    return [(h.passage.id, round(h.score, 4)) for h in hits]


QUERIES = [" ".join(random.Random(i).choices(WORDS, k=4)) for i in range(25)]


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index") / "hybrid"
    return build_index(corpus(), folder, encoder=HashEncoder())


def test_text_ranking_is_bm25(tmp_path):
    passages = corpus()
    oracle = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    oracle.index([p.text.split() for p in passages], show_progress=False)
    for query, hits in zip(QUERIES, run(build_index(passages, tmp_path / "i"), *QUERIES)):
        scores = 2.2 * oracle.get_scores(query.split())  # bm25s leaves out the factor k1 + 1
        best = sorted(range(len(passages)), key=lambda i: (-round(float(scores[i]), 3), i))[:10]
        assert [h.score for h in hits] == pytest.approx([scores[i] for i in best], abs=2e-3)
        assert {h.passage.id: h.score for h in hits} == pytest.approx(
            {h.passage.id: scores[int(h.passage.id[1:])] for h in hits}, abs=2e-3
        )


def test_vector_ranking_is_brute_force(hybrid):
    encoder = HashEncoder()
    index = Index.open(hybrid._store.folder, encoder=encoder, mode="vector")
    passages = corpus()
    matrix = encoder.encode([p.text for p in passages])
    for query, hits in zip(QUERIES, run(index, *QUERIES)):
        scores = matrix @ encoder.encode([query])[0]
        best = sorted(range(len(passages)), key=lambda i: (-round(float(scores[i]), 6), i))[:10]
        assert [h.score for h in hits] == pytest.approx([scores[i] for i in best], abs=2e-6)
        assert [h.passage.id for h in hits] == [passages[i].id for i in best]


def test_hybrid_is_the_fusion_of_both(hybrid):
    folder = hybrid._store.folder
    text = run(Index.open(folder, mode="text"), *QUERIES, k=100)
    vector = run(Index.open(folder, encoder=HashEncoder(), mode="vector"), *QUERIES, k=100)
    for a, b, both in zip(text, vector, run(hybrid, *QUERIES)):
        fused = reciprocal_rank_fusion([[h.passage.id for h in a], [h.passage.id for h in b]])
        assert [(h.passage.id, h.score) for h in both] == fused[:10]
        assert [h.rank for h in both] == list(range(10))


def test_concurrent_searches_are_encoded_in_one_batch(hybrid):
    encoder = HashEncoder()
    index = Index.open(hybrid._store.folder, encoder=encoder)
    together = run(index, *QUERIES, QUERIES[0])
    assert encoder.batches == [QUERIES]
    assert together[0] == together[-1] == run(index, QUERIES[0])[0]


def test_words_are_stemmed_folded_and_looked_up_in_the_title(tmp_path):
    index = build_index(
        [Passage("a", "It hides acorns.", "Jay"), Passage("b", "A café in town.", "Place")],
        tmp_path / "i",
    )
    found = run(index, "hiding acorn", "CAFE", "jays", "the of and", "")
    assert [[h.passage.id for h in hits] for hits in found] == [["a"], ["b"], ["a"], [], []]


def test_ties_go_by_id_even_when_there_are_more_than_fit(tmp_path):
    names = [f"t{i:02}" for i in range(60)]
    shuffled = random.Random(3).sample(names, 60)
    index = build_index(
        [Passage(i, "same words here") for i in shuffled], tmp_path / "i", encoder=HashEncoder()
    )
    for mode in ("text", "vector", "hybrid"):
        opened = Index.open(tmp_path / "i", encoder=HashEncoder(), mode=mode)
        assert [h.passage.id for h in run(opened, "same words")[0]] == names[:10]
    index.delete(["t00"])
    index.add([Passage("t000", "same words here")])
    assert [h.passage.id for h in run(index, "same words", k=3)[0]] == ["t000", "t01", "t02"]


def test_passages_come_back_as_they_went_in(tmp_path):
    passages = [
        Passage(
            "a'b\\", "Text “ü” \n😀", "Title", "doc", (Link(0, 4, "x'y"),), {"n": [1, {"k": 2}]}
        ),
        Passage("plain", "other"),
    ]
    index = build_index(passages, tmp_path / "i")
    assert list(index.passages()) == passages
    assert len(index) == 2
    assert run(index, "text")[0][0].passage == passages[0]
    index.delete(["a'b\\", "unknown' OR '1' = '1"])
    assert list(index.passages()) == [passages[1]]


def test_incremental_equals_rebuilt(tmp_path):
    old, new = corpus(200, seed=1), corpus(260, seed=2)
    index = build_index(old, tmp_path / "a", encoder=HashEncoder())
    index.update(new[:150])  # other texts under known ids
    index.add(new[200:])
    index.delete([p.id for p in new[:30]])
    final = new[30:150] + old[150:] + new[200:]
    rebuilt = build_index(final, tmp_path / "b", encoder=HashEncoder())
    reopened = Index.open(tmp_path / "a", encoder=HashEncoder())
    for mode in ("text", "vector", "hybrid"):
        index.mode = rebuilt.mode = reopened.mode = mode
        expected = [ranking(hits) for hits in run(rebuilt, *QUERIES)]
        assert [ranking(hits) for hits in run(index, *QUERIES)] == expected
        assert [ranking(hits) for hits in run(reopened, *QUERIES)] == expected
    assert sorted(p.id for p in index.passages()) == sorted(p.id for p in final)


def test_an_update_killed_before_its_refresh_is_finished_on_opening(tmp_path, monkeypatch):
    old, new = corpus(100, seed=1), corpus(150, seed=2)
    index = build_index(old, tmp_path / "a")
    monkeypatch.setattr(type(index._store), "_refresh", lambda self: None)
    index.update(new)
    monkeypatch.undo()
    rebuilt = build_index(new, tmp_path / "b")
    expected = [ranking(hits) for hits in run(rebuilt, *QUERIES)]
    assert [ranking(h) for h in run(Index.open(tmp_path / "a"), *QUERIES)] == expected
    assert sorted(x.name for x in (tmp_path / "a").iterdir()) == ["manifest.json", "passages.lance"]


def test_filters(hybrid):
    some = run(hybrid, QUERIES[0], k=300, where="id IN ('p003', 'p004')")[0]
    assert sorted(h.passage.id for h in some) == ["p003", "p004"]
    assert run(hybrid, QUERIES[0], where="id = 'nobody'") == [[]]
    for bad in ("id = ", "colour = 'red'"):
        with pytest.raises(InputError, match="filter"):
            run(hybrid, "babax", where=bad)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=60) | st.text(alphabet="\"'*:()[]{}~^+-\\/ ANDORxba\ud800\0", max_size=30))
def test_a_query_is_data(hybrid, query):
    for hits in run(hybrid, query, k=5):
        assert len(hits) == (5 if query.strip() else 0)
        assert all(np.isfinite(h.score) for h in hits)
    assert len(hybrid) == 300


def test_a_query_of_a_megabyte(hybrid):
    long = (" ".join(WORDS) + " ' OR 1=1; ") * 2000
    assert len(long) > 1_000_000
    assert len(run(hybrid, long, k=5)[0]) == 5
    assert run(hybrid, "babax", k=0) == [[]]


def test_another_encoder_is_refused_by_name(hybrid):
    folder = hybrid._store.folder
    with pytest.raises(IndexMismatch, match=r"hash@1.*hash@2"):
        Index.open(folder, encoder=HashEncoder("hash@2"))
    with pytest.raises(IndexMismatch, match=r"hash@2"):
        Index.open(folder, encoder=HashEncoder("hash@2"), mode="text")
    with pytest.raises(IndexMismatch, match=r"vectors of hash@1"):
        Index.open(folder, mode="text").add([Passage("new", "text")])


def test_what_is_not_an_index_is_refused(tmp_path):
    with pytest.raises(IndexMismatch, match="not an index"):
        Index.open(tmp_path / "nothing")
    index = build_index([Passage("a", "text")], tmp_path / "i")
    with pytest.raises(IndexMismatch, match="without an encoder"):
        Index.open(tmp_path / "i", mode="hybrid")
    with pytest.raises(IndexMismatch, match="without an encoder"):
        Index.open(tmp_path / "i", encoder=HashEncoder())
    with pytest.raises(InputError, match="sideways"):
        Index.open(tmp_path / "i", mode="sideways")
    index.delete(["a"])
    with pytest.raises(IndexMismatch, match="empty"):
        Index.open(tmp_path / "i")
    manifest = tmp_path / "i" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 99}))
    with pytest.raises(IndexMismatch, match="format 99"):
        Index.open(tmp_path / "i")
    build_index([Passage("a", "text")], tmp_path / "j")
    for file in (tmp_path / "j" / "passages.lance" / "_versions").iterdir():
        file.write_bytes(b"broken")
    with pytest.raises(IndexMismatch, match="damaged"):
        Index.open(tmp_path / "j")


def test_bad_builds_leave_everything_as_it_was(tmp_path):
    folder = tmp_path / "i"
    build_index([Passage("a", "text")], folder)
    with pytest.raises(InputError, match="no passages"):
        build_index([], folder)
    with pytest.raises(InputError, match="id 'x'"):
        build_index([Passage("x", "1"), Passage("x", "2")], folder)
    with pytest.raises(InputError, match="can't be stored"):
        build_index([Passage("x", "\ud800")], folder)
    with pytest.raises(InputError, match="can't be stored"):
        build_index([Passage("x", "1", meta={"a": object()})], folder)
    broken = HashEncoder()
    broken.encode = lambda texts, query=False: np.full((len(texts), 32), np.nan, np.float32)
    with pytest.raises(ModelError, match="finite"):
        build_index([Passage("x", "1")], folder, encoder=broken)
    assert [p.id for p in Index.open(folder).passages()] == ["a"]
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("keep")
    with pytest.raises(InputError, match="overwritten"):
        build_index([Passage("x", "1")], tmp_path / "precious")
    assert sorted(x.name for x in tmp_path.iterdir()) == ["i", "precious"]


def test_progress_is_reported(tmp_path):
    seen = []
    build_index(
        corpus(600), tmp_path / "i", encoder=HashEncoder(), progress=lambda *x: seen.append(x)
    )
    assert seen == [(512, 600), (600, 600)]


KILLED = """
import sys
from scrubjay.core import Passage
from scrubjay.retrieval import build_index, store
real = store.Store.create
def create(folder, data):
    made = real(folder, data)
    print("written", flush=True)
    sys.stdin.read()
    return made
store.Store.create = staticmethod(create)
build_index([Passage("new", "other words")], sys.argv[1])
"""


def test_a_killed_build_leaves_the_old_index(tmp_path):
    folder = tmp_path / "i"
    build_index([Passage("old", "some words")], folder)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "written\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert [h.passage.id for h in run(Index.open(folder), "words")[0]] == ["old"]
    again = build_index([Passage("new", "other words")], folder)
    assert [h.passage.id for h in run(again, "words")[0]] == ["new"]


FULL = """
import resource, sys
from scrubjay.core import DiskError, Passage
from scrubjay.retrieval import Index, build_index
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
many = [Passage(f"n{i}", f"words {i} " * 40) for i in range(2000)]
index = Index.open(sys.argv[1])
for work in (lambda: build_index(many, sys.argv[1]), lambda: index.add(many)):
    try:
        work()
    except DiskError as error:
        print(error)
"""


def test_a_full_disk_is_one_sentence_and_the_old_index_stays(tmp_path):
    folder = tmp_path / "i"
    build_index([Passage("old", "some words")], folder)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 2
    assert done.stdout.count("can't write") == 2
    assert [p.id for p in Index.open(folder).passages()] == ["old"]
    assert [h.passage.id for h in run(Index.open(folder), "words")[0]] == ["old"]
