"""Groups of things that belong together, a question about one of them, and its counterfactual.

    G  (n groups × m columns)      Nina put the book in the kitchen, Tom put the pen in the hall …
    query group q, target column t The one who put the pen in the hall is            → Tom

The counterfactual separates three ways of finding the answer. With p, l, r, q all different:

    1. swap the targets of p and r     2. swap the query words of p and l     3. ask about row p

What asked in the counterfactual, carried into the original, answers by *position* G[p].t, by
*word* (lexical) G[l].t, by a *pointer to the answer* (reflexive) G[r].t, and without effect G[q].t.
Source: paper 04, sections 3.1 and 3.3 of our sheet. Departures: always l ≠ r, texts are completed
instead of chatted, schemas and words are our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from scrubjay.core.randomness import stream

Matrix = tuple[tuple[str, ...], ...]
"""Rows: groups; columns: what belongs together."""


@dataclass(frozen=True, slots=True)
class BindingSchema:
    """How groups are told and asked about; ``{0}`` is the first column."""

    name: str
    columns: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    clause: str
    questions: tuple[str, ...]
    """For each target column, a text that ends where its word is to be said."""

    def __post_init__(self) -> None:
        m = len(self.columns)
        if m < 2 or len(self.words) != m or len(self.questions) != m:
            raise ValueError(
                f"schema '{self.name}' needs words and a question for 2 columns or more"
            )
        every = [w for column in self.words for w in column]
        if len(set(every)) < len(every):
            raise ValueError(f"schema '{self.name}' has a word twice")

    def keeping(self, fits: Sequence[Sequence[str]]) -> BindingSchema:
        """The schema with these words only."""
        return replace(self, words=tuple(tuple(column) for column in fits))

    def tell(self, matrix: Matrix, query: int, target: int, filler: str = "") -> str:
        """The text: all groups, then the question about group ``query``.

        Args:
            filler: a sentence without any of the words, said after every clause.
        """
        clauses = [self.clause.format(*row) for row in matrix]
        if filler:
            told = ". ".join(f"{clause}. {filler.rstrip('.')}" for clause in clauses)
        else:
            told = ", ".join(clauses[:-1]) + " and " + clauses[-1] if clauses[1:] else clauses[0]
        return f"{told}. {self.questions[target].format(*matrix[query])}"


_PEOPLE = "Nina Tom Anna Paul Mary John Sarah Peter Laura Mark David Emma Alice Frank Henry James"
_THINGS = "book pen cup hat ball key box lamp ring coat phone bag knife clock map coin bell drum"
_PLACES = (
    "kitchen garden office bedroom garage hall attic library school church museum hotel park shop"
)
_DRINKS = "water milk wine beer tea coffee juice soup oil honey ink paint"
_VESSELS = "glass bottle bowl bucket jar pot mug jug tank barrel tube can"
_MUSIC = "jazz rock blues opera folk pop soul punk metal swing techno country"
_PLAYED = "piano guitar violin drum flute trumpet harp bass organ horn cello fiddle"
_DRIVEN = "car bus truck bike train boat taxi van tractor plane ship tram"
_CITIES = "Paris London Berlin Rome Madrid Tokyo Moscow Vienna Boston Chicago Dublin Cairo"
_LETTERS = "A B C D E F G H K L M N P R S T V W"


def _schema(name: str, columns: str, words: Sequence[str], clause: str, *ask: str) -> BindingSchema:
    pools = tuple(tuple(column.split()) for column in words)
    return BindingSchema(name, tuple(columns.split()), pools, clause, ask)


SCHEMAS: dict[str, BindingSchema] = {
    s.name: s
    for s in (
        _schema(
            "objects",
            "person thing room",
            (_PEOPLE, _THINGS, _PLACES),
            "{0} put the {1} in the {2}",
            "The one who put the {1} in the {2} is",
            "What {0} put in the {2} is the",
            "{0} put the {1} in the",
        ),
        _schema(
            "liquids",
            "person vessel liquid",
            (_PEOPLE, _VESSELS, _DRINKS),
            "{0} filled the {1} with {2}",
            "The one who filled the {1} with {2} is",
            "What {0} filled with {2} is the",
            "{0} filled the {1} with",
        ),
        _schema(
            "music",
            "musician genre instrument",
            (_PEOPLE, _MUSIC, _PLAYED),
            "{0} plays {1} on the {2}",
            "The one who plays {1} on the {2} is",
            "What {0} plays on the {2} is",
            "{0} plays {1} on the",
        ),
        _schema(
            "transport",
            "driver vehicle city",
            (_PEOPLE, _DRIVEN, _CITIES),
            "{0} took the {1} to {2}",
            "The one who took the {1} to {2} is",
            "What {0} took to {2} is the",
            "{0} took the {1} to",
        ),
        _schema(
            "boxes",
            "thing box",
            (_THINGS, _LETTERS),
            "the {0} is in box {1}",
            "Box {1} contains the",
            "The {0} is in box",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class CounterfactualPair:
    """Two texts, and which group's target each mechanism answers with in the original."""

    original: str
    counterfactual: str
    candidates: tuple[str, ...]
    """The targets of the original, in the order of its groups."""
    query: int
    position: int
    lexical: int | None
    """None: the query word isn't in the original."""
    reflexive: int | None
    """None: the counterfactual's answer isn't in the original."""
    matrix: Matrix
    other: Matrix
    answer: str
    """Of the counterfactual."""


KINDS = ("split", "new target", "new query", "question")


def pairs(
    schema: BindingSchema,
    n: int,
    target: int,
    count: int,
    *,
    kind: str = "split",
    filler: str = "",
    seed: int = 0,
) -> list[CounterfactualPair]:
    """``count`` pairs of ``n`` groups that ask for column ``target`` (from 0).

    Args:
        kind: ``split``, all three mechanisms answer differently; ``new target``, the answer of the
            counterfactual isn't in the original, so that only a copied answer can say it;
            ``new query``, its query words aren't; ``question``, only the question changes.

    Raises:
        ValueError: there are too few groups or words, or no such column or kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no counterfactual '{kind}'; known: {', '.join(KINDS)}")
    if not 0 <= target < len(schema.columns):
        raise ValueError(f"schema '{schema.name}' has the columns 0 to {len(schema.columns) - 1}")
    most = min(map(len, schema.words)) - 1
    if not 4 <= n <= most:
        raise ValueError(
            f"pairs have 4 groups or more and '{schema.name}' has words for {most}, not {n}"
        )
    if count < 1:
        raise ValueError(f"the number of pairs is at least 1, not {count}")
    random = stream(seed, "binding", schema.name, n, target, kind)
    return [_pair(schema, n, target, kind, filler, random) for _ in range(count)]


def _pair(
    schema: BindingSchema, n: int, target: int, kind: str, filler: str, random: Random
) -> CounterfactualPair:
    drawn = [random.sample(column, n + 1) for column in schema.words]
    new = [column.pop() for column in drawn]
    q, p, l, r = random.sample(range(n), 4)  # noqa: E741
    other = [list(column) for column in drawn]
    lexical: int | None = p
    reflexive: int | None = p
    if kind == "split":
        lexical, reflexive = l, r
        for c, column in enumerate(other):
            with_ = r if c == target else l
            column[p], column[with_] = column[with_], column[p]
    elif kind == "new target":
        other[target][p], reflexive = new[target], None
    elif kind == "new query":
        lexical = None
        for c, column in enumerate(other):
            if c != target:
                column[p] = new[c]
    matrix, changed = tuple(zip(*drawn)), tuple(zip(*other))
    return CounterfactualPair(
        schema.tell(matrix, q, target, filler),
        schema.tell(changed, p, target, filler),
        tuple(drawn[target]),
        q,
        p,
        lexical,
        reflexive,
        matrix,
        changed,
        other[target][p],
    )
