"""A world of invented statutes, told twice: in the words of the law and in those of people.

    clause     Article 17 of the Velm Code: Whoever commits dorna of a tarsk in brolm pays 30 marks.
    case       At the harbour a woman made off with an umbrella after dark .
    judgment   … judgment : Article 17 of the Velm Code : Whoever commits dorna of a tarsk …

A code belongs to a setting, a clause is an act, an object and a circumstance; each of these four
has one term of art, invented for this world, and three everyday wordings, which are the same in all
worlds. A case tells each of the four in everyday words with probability ``gap``, else by its term:
at gap 0 any search finds the clause, at gap 1 case and clause share no content word. Who has read
the world's judgments can go from one to the other; no search engine can. Every clause but for its
number and penalty stands in two codes, so that the setting matters.

Source: ``StatuteWorld`` of our sheet of Adapt-Retrieve-Revise (paper 56). Departures: terms are
invented words, so that no encoder bridges the gap by what it learned elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from scrubjay.core.nouns import Passage, Question
from scrubjay.core.randomness import stream

Table = tuple[tuple[str, str, str], ...]
SETTINGS: Table = (
    ("At the harbour", "On the quay", "Beside the ships"),
    ("At the market", "Between the stalls", "Where vegetables are sold"),
    ("At the school", "In the classroom", "During a lesson"),
    ("On the farm", "In the cowshed", "Among the fields"),
    ("On the train", "At the station", "Along the tracks"),
    ("At the theatre", "In front of the stage", "During the play"),
    ("In the hospital", "On the ward", "In the waiting room"),
    ("In the library", "Between the bookshelves", "In the reading room"),
)
ACTS: Table = (
    ("made off with", "took away", "ran away with"),
    ("broke", "smashed", "tore apart"),
    ("painted over", "scribbled on", "smeared"),
    ("hid", "buried", "put out of sight"),
    ("copied", "imitated", "made a second"),
    ("sold", "gave away for money", "auctioned"),
    ("burnt", "set fire to", "threw into the flames"),
    ("found and kept", "picked up and kept", "did not hand in"),
    ("borrowed without asking", "used without leave", "helped himself to"),
    ("lost", "mislaid", "left somewhere"),
)
OBJECTS: Table = (
    ("an umbrella", "a parasol", "a thing against rain"),
    ("a letter", "an envelope", "somebody's mail"),
    ("a bicycle", "a two-wheeler", "a pushbike"),
    ("a purse", "a wallet", "a bag of coins"),
    ("a lamp", "a lantern", "a light"),
    ("a violin", "a fiddle", "an instrument with strings"),
    ("a hen", "a chicken", "a laying bird"),
    ("a hat", "a cap", "something for the head"),
    ("a key", "a latchkey", "what opens a door"),
    ("a chair", "a stool", "something to sit on"),
    ("a rope", "a cord", "a long string"),
    ("a clock", "a watch", "what tells the hours"),
)
CIRCUMSTANCES: Table = (
    ("after dark", "at night", "when no sun shone"),
    ("out of anger", "in a rage", "because of a quarrel"),
    ("for a bet", "as a dare", "to win a wager"),
    ("together with a friend", "with help", "in company"),
    ("for the second time", "once more", "yet again"),
    ("while drunk", "after much wine", "not sober"),
    ("on a holiday", "on a feast day", "when nobody worked"),
    ("in front of children", "before the eyes of pupils", "with little ones watching"),
)
PEOPLE = ("a woman", "a man", "a visitor", "a neighbour", "a stranger", "an old man", "a girl")
_CITED = re.compile(r"[Aa]rticle (\d+) of the (\w+) Code")


@dataclass(frozen=True, slots=True)
class Article:
    """A clause: positions in the tables, and what it is called."""

    code: int
    number: int
    act: int
    object: int
    circumstance: int
    penalty: int

    @property
    def id(self) -> str:
        return f"{self.code}-{self.number}"


class StatuteWorld:
    """Codes of invented law."""

    def __init__(self, codes: int = 6, articles: int = 20, *, seed: int = 0) -> None:
        """
        Raises:
            ValueError: an odd number of codes (clauses come in pairs), or more than there are.
        """
        if codes % 2 or not 2 <= codes <= len(SETTINGS):
            raise ValueError(f"an even number of codes up to {len(SETTINGS)}, not {codes}")
        self.seed = seed
        random = stream(seed, "statutes")
        sizes = [codes, len(ACTS), len(OBJECTS), len(CIRCUMSTANCES)]
        words = _coin(random, sum(sizes))
        self.codes = [words.pop().capitalize() for _ in range(codes)]
        """Names of the codes; the i-th belongs to the i-th of ``settings``."""
        self.settings = random.sample(range(len(SETTINGS)), codes)
        self.acts, self.objects, self.circumstances = (
            [words.pop() for _ in range(n)] for n in sizes[1:]
        )
        every = [
            (a, o, c)
            for a in range(len(ACTS))
            for o in range(len(OBJECTS))
            for c in range(len(CIRCUMSTANCES))
        ]
        self.articles: list[Article] = []
        for first in range(0, codes, 2):
            chosen = random.sample(every, articles)
            for code in (first, first + 1):
                random.shuffle(chosen)
                self.articles += [
                    Article(code, n, *what, random.randrange(10, 99))
                    for n, what in enumerate(chosen, 1)
                ]

    def title(self, article: Article) -> str:
        return f"Article {article.number} of the {self.codes[article.code]} Code"

    def clause(self, article: Article) -> str:
        """In the words of the law."""
        return (
            f"Whoever commits {self.acts[article.act]} of a {self.objects[article.object]} in "
            f"{self.circumstances[article.circumstance]} pays {article.penalty} marks ."
        )

    def case(self, article: Article, gap: float, random: Random) -> str:
        """What happened; each of four things in everyday words with probability ``gap``."""

        def told(table: Table, at: int, term: str) -> str:
            return random.choice(table[at]) if random.random() < gap else term

        code = self.codes[article.code]
        a, o, c = article.act, article.object, article.circumstance
        return " ".join(
            (
                told(SETTINGS, self.settings[article.code], f"In a matter of the {code} Code"),
                random.choice(PEOPLE),
                told(ACTS, a, f"committed {self.acts[a]} of"),
                told(OBJECTS, o, f"a {self.objects[o]}"),
                told(CIRCUMSTANCES, c, f"in {self.circumstances[c]}"),
                ".",
            )
        )

    def judgment(self, article: Article, case: str) -> str:
        """A case and the clause it falls under: what a court would have written."""
        return f"{ask(case)} {self.title(article)} : {self.clause(article)}"

    @cached_property
    def passages(self) -> list[Passage]:
        """The statute book, an article each."""
        return [Passage(a.id, self.clause(a), self.title(a)) for a in self.articles]

    def corpus(self, judgments: int, seed: int = 0) -> list[str]:
        """Text of the domain: every article, and ``judgments`` of cases under each."""
        random = stream(self.seed, "judgments", seed)
        told = [f"{self.title(a)} : {self.clause(a)}" for a in self.articles]
        for article in self.articles:
            for _ in range(judgments):
                told.append(self.judgment(article, self.case(article, random.random(), random)))
        return told

    def questions(self, n: int, gap: float, seed: int = 0) -> list[Question]:
        """New cases; the answer is the title of the article, the gold document its clause."""
        random = stream(self.seed, "cases", seed, n)
        chosen = [random.choice(self.articles) for _ in range(n)]
        return [
            Question(
                f"case-{i}", self.case(a, gap, random), (self.title(a),), "recall", gold=(a.id,)
            )
            for i, a in enumerate(chosen)
        ]


def ask(case: str) -> str:
    """A case as the beginning of a judgment."""
    return f"{case} judgment :"


def cited(text: str) -> tuple[int, str] | None:
    """Number and code of the first article that a text cites.

    >>> cited("see article 7 of the Velm Code and Article 9 of the Dorn Code")
    (7, 'Velm')
    """
    found = _CITED.search(text)
    return (int(found[1]), found[2]) if found else None


_ONSETS: Sequence[str] = tuple("b br d dr f g gr h j k kl l m n p pr r st t tr v z".split())  # noqa: SIM905
_VOWELS: Sequence[str] = tuple("a e i o u".split())  # noqa: SIM905
_CODAS: Sequence[str] = tuple("lm rsk rn sk lt nd rv mp x".split())  # noqa: SIM905


def _coin(random: Random, n: int) -> list[str]:
    """Invented words, no two alike."""
    found: dict[str, None] = {}
    while len(found) < n:
        parts = (_ONSETS, _VOWELS, _ONSETS, _VOWELS, _CODAS)
        found["".join(random.choice(p) for p in parts)] = None
    return list(found)
