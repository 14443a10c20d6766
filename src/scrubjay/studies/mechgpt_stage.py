"""What study 10 stands on: an invented world, its pages, and what is distilled from them.

Half of the chosen facts are *written*: the distiller makes a question of each. The other half stay
in the pages only (*held out*). Bridges are questions over two pages. For the test of the second
pass some triples are spoilt: their object becomes another name of the same page, which is the kind
of mistake a careless distiller makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scrubjay.agents.distil.distiller import Distiller
from scrubjay.agents.distil.mentions import Gazetteer, mentions, plain, sentences
from scrubjay.agents.distil.pairs import QAPair, make_pair
from scrubjay.agents.distil.triples import Triple
from scrubjay.agents.session import Session
from scrubjay.core.nouns import Passage, Question
from scrubjay.core.randomness import stream
from scrubjay.models.types import LanguageModel
from scrubjay.studies.knowledge_solver_stage import questions
from scrubjay.worlds.universe import Fact
from scrubjay.worlds.world import World, load_world

NOISE = 0.3
"""Share of triples that are spoilt."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    entities: int
    facts: int
    """Written; as many are held out."""
    bridges: int
    tokens: int
    """Trained on, by every way of training."""


SIZES = {
    "smoke": Size(60, 8, 4, 0),
    "laptop": Size(100, 40, 24, 12_000),
    "full": Size(400, 150, 100, 500_000),
}


@dataclass(slots=True)
class Stage:
    """A world, its triples, and the three kinds of questions."""

    world: World
    passages: list[Passage]
    triples: list[Triple]
    types: dict[str, str]
    known: Gazetteer
    written: list[Fact]
    held: list[Fact]
    bridges: list[Question]

    @classmethod
    async def make(cls, size: Size, seed: int) -> Stage:
        """The stage of a seed; extraction is by patterns."""
        world = load_world(f"random:{size.entities}", seed=seed + 500)
        passages = list(world.documents())
        names = [p.title for p in passages]
        found = await Distiller(passes=0).run(passages, names)
        read = {(t.subject, t.object) for t in found.triples}
        told = [
            f
            for page in world.marked
            for f in page.facts
            if isinstance(f.object, str)
            and (world.names.value(f.subject), world.names.value(f.object)) in read
            and len(world.universe.objects(f.subject, f.relation)) == 1
        ]
        stream(seed, "facts").shuffle(told)
        bridges = [a.question for a in questions(world, size.bridges, seed) if a.hops == 2]
        return cls(
            world, passages, found.triples, found.types, Gazetteer(names),
            told[: size.facts], told[size.facts : 2 * size.facts], bridges,
        )  # fmt: skip

    def asked(self, facts: Sequence[Fact]) -> list[Question]:
        """The facts as the world asks for them: in other words than the distiller's."""
        return [
            Question(
                f"{f.subject}/{f.relation}",
                self.world.universe.relations[f.relation].question.replace(
                    "[S]", self.world.names.name(f.subject)
                ),
                (self.world.names.value(f.object),),
                "recall",
            )
            for f in facts
        ]

    def triples_of(self, facts: Sequence[Fact]) -> list[Triple]:
        """A triple for each fact, the first that was read."""
        first: dict[tuple[str, str], Triple] = {}
        for t in self.triples:
            first.setdefault((t.subject, t.object), t)
        name = self.world.names
        return [first[name.value(f.subject), name.value(f.object)] for f in facts]

    def spoilt(self, triples: Sequence[Triple], seed: int) -> list[tuple[Triple, bool]]:
        """The triples, some with another name of their page as object; and whether it is wrong."""
        out = []
        for t in triples:
            rng = stream(seed, "spoilt", t.subject, t.object)
            right = {x.object for x in self.triples if x.subject == t.subject}
            others = [n for n in self.names(t) if n not in right and n != t.subject]
            others = others or [n for n in self.names(t) if n not in (t.object, t.subject)]
            if others and rng.random() < NOISE:
                out.append((replace(t, object=rng.choice(others)), True))
            else:
                out.append((t, False))
        return out

    def names(self, triple: Triple) -> list[str]:
        """The names in the triple's passage."""
        text = plain(self.passage(triple).text)[0]
        return list(
            dict.fromkeys(
                m.text for s in sentences(text) for m in mentions(s.text, self.known)
                if m.kind == "name"
            )
        )  # fmt: skip

    def passage(self, triple: Triple) -> Passage:
        return self.world.pages[triple.passage]

    async def pair(self, triple: Triple, model: LanguageModel | None, passes: int) -> QAPair:
        """The distiller's pair for a triple."""
        right = {
            t.object
            for t in self.triples
            if (t.subject, t.relation) == (triple.subject, triple.relation)
        }
        # Other right answers are no rivals; to a spoilt triple the true object is one.
        fellows = right - {triple.object} if triple.object in right else set()
        others = [n for n in self.names(triple) if n != triple.subject and n not in fellows]
        session = None if model is None else Session(model)
        return await make_pair(triple, self.passage(triple), others, session, passes=passes)
