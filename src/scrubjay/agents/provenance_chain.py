"""Chain: do sentences that hang together lead from what was asked to the answer?

One sentence rarely says the whole of a multi-hop question; several do, each naming what the next
one is about. So the sentence that holds the answer is joined, one at a time, by a sentence that
shares a name with the chain, as long as that explains more of the question:

    chain  = { a sentence that holds the answer }
    repeat   chain += argmax gain(s)  over sentences s that share a name with the chain
    gain(s)= Σ idf(w) over words w of the question, as often as it says w, not explained so far

    question  What is the capital of the country in which Ossa lies?            answer  Torvik
    chain     "Brenland: The capital of Brenland is Torvik."  -Brenland-  "Ossa lies in Brenland."

A word that the question says twice ("the nearest larger city to the nearest larger city to …") has
to be said by two sentences: half a chain must not pass for the whole. A few best beginnings are
followed at once (a beam). *Names* are titles and runs of capitalised words; a word that only begins
a sentence counts if it is a name elsewhere, or a title. In scripts without capitals only titles
link.

Source: ours. A cheap stand-in for the graph that multi-hop readers build (entities linked across
passages); no model is asked.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scrubjay.agents.focused_rag import sentences
from scrubjay.agents.provenance_words import counted, holds, names, words
from scrubjay.core.nouns import Passage

LONGEST = 5
"""Sentences of a chain."""
BEAM = 6
LEAST = 1e-9
"""What a sentence must add to be joined."""
MOST_LINES = 120
"""Sentences looked at: those that hold the answer, then those that say most of the question."""

_WORD = re.compile(r"\w+")
_INSIDE = (" ", "-", "'", "’", "‘")
"""What may stand between two words of one name."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, its title in front where it doesn't say it."""

    place: str
    """Id of its passage."""
    text: str


@dataclass(frozen=True, slots=True)
class Chain:
    """What leads to the answer; empty where no sentence holds it."""

    covered: float = 0.0
    """Share of the question's words, weighed by idf, that the chain explains."""
    named: float = 0.0
    """Share of the question's names in it."""
    gap: float = 0.0
    """What as many sentences could explain at most, connected or not, less ``covered``."""
    said: tuple[Said, ...] = ()
    """In order of joining, the one with the answer first."""

    @property
    def places(self) -> tuple[str, ...]:
        """Ids of its passages, each once."""
        return tuple(dict.fromkeys(s.place for s in self.said))


@dataclass(frozen=True, slots=True)
class _Line:
    said: Said
    stems: frozenset[str]
    """Of the words that were asked, those it says."""
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Path:
    lines: tuple[int, ...]
    worth: float
    """Weight of the question's words it explains."""
    said: Counter[str]
    met: frozenset[str]
    """The names in it."""


def chain(question: str, answer: str, passages: Sequence[Passage]) -> Chain:
    """The chain to the answer that explains most of the question."""
    asked = counted(question)
    lines = _lines(asked, answer, passages)
    starts = [i for i, line in enumerate(lines) if holds(line.said.text, answer)]
    if not asked or not starts:
        return Chain()
    weight = _weights(asked, lines)
    whole = sum(weight[w] * n for w, n in asked.items())
    best = _follow(starts, lines, asked, weight)
    loose = _loose(lines, asked, weight, len(best.lines))
    called = (names(question) & set(asked)) or set(asked)
    return Chain(
        best.worth / whole,
        len(called & set(best.said)) / len(called),
        max(0.0, round(loose - best.worth, 9)) / whole,
        tuple(lines[i].said for i in best.lines),
    )


def _lines(asked: Counter[str], answer: str, passages: Sequence[Passage]) -> list[_Line]:
    found = [(p, s) for p in passages for s in list(sentences(p.text)) or [p.text]]
    if len(found) > MOST_LINES:
        key = [(holds(s, answer), len(set(asked) & set(counted(s)))) for _, s in found]
        kept = sorted(sorted(range(len(found)), key=lambda i: key[i], reverse=True)[:MOST_LINES])
        found = [found[i] for i in kept]
    runs = [_runs(s) for _, s in found]
    titles = {p.title: _plain(p.title) for p in passages if p.title}
    sure = {run for inside, _ in runs for run in inside} | set(titles.values())
    out = []
    for (p, s), (inside, first) in zip(found, runs):
        text = s if not p.title or holds(s, p.title) else f"{p.title}: {s}"
        names = {*inside, *({first} & sure), *(n for t, n in titles.items() if holds(text, t))}
        stems = frozenset(asked.keys() & counted(text).keys())
        out.append(_Line(Said(p.id, text), stems, frozenset(names - {""})))
    return out


def _follow(
    starts: Sequence[int], lines: Sequence[_Line], asked: Counter[str], weight: dict[str, float]
) -> _Path:
    """The best chain by beam search; among equals the shorter one, then the earlier one."""
    none = _Path((), 0.0, Counter(), frozenset())
    beam = [_join(none, i, lines, asked, weight) for i in starts]
    beam = sorted(beam, key=_worth, reverse=True)[:BEAM]
    best = beam[0]
    for _ in range(LONGEST - 1):
        longer: dict[frozenset[int], _Path] = {}
        for path in beam:
            for i, line in enumerate(lines):
                if i not in path.lines and line.names & path.met:
                    new = _join(path, i, lines, asked, weight)
                    if new.worth > path.worth + LEAST:
                        longer.setdefault(frozenset(new.lines), new)
        beam = sorted(longer.values(), key=_worth, reverse=True)[:BEAM]
        if not beam:
            break
        best = max(best, beam[0], key=_worth)
    return best


def _join(
    path: _Path, i: int, lines: Sequence[_Line], asked: Counter[str], weight: dict[str, float]
) -> _Path:
    """The path with one sentence more; a word counts as often as it was asked, once a sentence."""
    new = [w for w in lines[i].stems if path.said[w] < asked[w]]
    worth = path.worth + sum(weight[w] for w in new)
    return _Path((*path.lines, i), worth, path.said + Counter(new), path.met | lines[i].names)


def _loose(lines: Sequence[_Line], asked: Counter[str], weight: dict[str, float], n: int) -> float:
    """What ``n`` sentences explain, taken greedily, connected or not."""
    path = _Path((), 0.0, Counter(), frozenset())
    for _ in range(min(n, len(lines))):
        rest = (i for i in range(len(lines)) if i not in path.lines)
        path = max((_join(path, i, lines, asked, weight) for i in rest), key=_worth)
    return path.worth


def _worth(path: _Path) -> float:
    return round(path.worth, 9)


def _weights(asked: Counter[str], lines: Sequence[_Line]) -> dict[str, float]:
    count = Counter(w for line in lines for w in line.stems)
    return {w: math.log(1 + len(lines) / (1 + count[w])) for w in asked}


def _runs(sentence: str) -> tuple[list[str], str]:
    """Runs of capitalised words that follow one another; last, the one word that only begins it."""
    runs: list[list[re.Match[str]]] = []
    for word in _WORD.finditer(sentence):
        if word[0][0].isupper():
            last = runs[-1][-1] if runs else None
            if last is not None and sentence[last.end() : word.start()] in _INSIDE:
                runs[-1].append(word)
            else:
                runs.append([word])
    first = ""
    if runs and len(runs[0]) == 1 and not _WORD.search(sentence[: runs[0][0].start()]):
        first = _plain(runs.pop(0)[0][0])
    return [_plain(" ".join(w[0] for w in run)) for run in runs], first


def _plain(text: str) -> str:
    return " ".join(words(text))
