"""Search by words: our index on disk against bm25s in memory, same corpus, same queries.

Both get the whole batch of queries as text and give the ten best passages; ours also reads the
passages back. The words are invented, so that stemming, stop words and folding (which bm25s does
differently) change nothing, and the two rankings can be compared.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scrubjay.core import Passage
from scrubjay.core.randomness import stream
from scrubjay.retrieval import Index, build_index

PASSAGES, QUERIES, K, ROUNDS = 5000, 256, 10, 5


def run() -> list[dict[str, Any]]:
    import bm25s

    passages, queries = corpus()
    ids = [p.id for p in passages]

    def build_peer() -> Any:
        peer = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        peer.index(tokens([p.text for p in passages]), show_progress=False)
        return peer

    def tokens(texts: list[str]) -> Any:
        return bm25s.tokenize(texts, stopwords=None, show_progress=False)

    def search_peer(peer: Any) -> list[list[str]]:
        found, _ = peer.retrieve(tokens(queries), k=K, show_progress=False)
        return [[ids[i] for i in row] for row in found]

    async def search(index: Index) -> list[list[str]]:
        hits = await asyncio.gather(*(index.search(query, K) for query in queries))
        return [[hit.passage.id for hit in row] for row in hits]

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "index")
        build = rounds(lambda: build_index(passages, place), build_peer)
        index, peer = Index.open(place), build_peer()
        searched = rounds(lambda: asyncio.run(search(index)), lambda: search_peer(peer))
        pairs = zip(asyncio.run(search(index)), search_peer(peer))
        shared = [len(set(a) & set(b)) / K for a, b in pairs]
    rates = [(QUERIES / ours, QUERIES / theirs) for ours, theirs in searched]
    return [
        row("bm25-search", "queries/s", rates, [ours / theirs for ours, theirs in rates]),
        row("bm25-build", "s", build, [theirs / ours for ours, theirs in build]),
        row("bm25-agreement", f"overlap@{K}", [(x, 1.0) for x in shared], shared, statistics.mean),
    ]


def corpus() -> tuple[list[Passage], list[str]]:
    """Passages of about 100 words, frequencies by Zipf's law; queries of eight of their words."""
    rng = stream(0, "benchmark", "retrieval")
    syllables = ["".join(x) for x in itertools.product("bdgklmnprtv", "aou")]
    words = ["".join(rng.choices(syllables, k=rng.randint(2, 4))) + "x" for _ in range(8000)]
    weights = list(itertools.accumulate(1 / (i + 1) for i in range(len(words))))
    texts = [
        rng.choices(words, cum_weights=weights, k=rng.randint(70, 130)) for _ in range(PASSAGES)
    ]
    queries = [" ".join(rng.sample(rng.choice(texts), 8)) for _ in range(QUERIES)]
    return [Passage(f"p{i:05}", " ".join(text)) for i, text in enumerate(texts)], queries


def rounds(ours: Callable[[], Any], theirs: Callable[[], Any]) -> list[tuple[float, float]]:
    """Seconds of both, in alternation, after one round that doesn't count."""
    times = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS + 1)]
    return times[1:]


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def row(
    name: str,
    unit: str,
    pairs: list[tuple[float, float]],
    ratios: list[float],
    middle: Callable[[list[float]], float] = statistics.median,
) -> dict[str, Any]:
    ours, theirs = (middle(list(side)) for side in zip(*pairs))
    return {
        "name": name,
        "ours": ours,
        "peer": theirs,
        "peer_name": "bm25s",
        "unit": unit,
        "ratio": middle(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
    }
