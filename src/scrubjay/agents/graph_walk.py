"""One walk through a knowledge graph: where it stands, what lies ahead, and what it comes to.

    walk = Walk(graph, head);  walk.ahead()  ->  edges to nodes not visited yet
    walk.go(edge, session);    walk.back(session)      # both are moves, both are in the trace

    await wander(walk, question, session, pick)        # pick: (walk, edges, may it stop)

What every walker shares, with a model or without. A walk never repeats a node, so it ends; the path
holds real edges only, since only an edge of the graph can be gone along.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field

from scrubjay.agents.session import Session
from scrubjay.core.files import dump_json
from scrubjay.core.nouns import Answer, Passage, Question
from scrubjay.models.prompting.untrusted import one_line
from scrubjay.retrieval.overlap import word_scores
from scrubjay.worlds.knowledge import Edge, KnowledgeGraph
from scrubjay.worlds.universe import Fact, Value, value_to_json

Candidates = Mapping[str, Sequence[Value]]
"""Question id → the nodes it offers as answers; a question that isn't in it is an open one."""


@dataclass(slots=True)
class Walk:
    """From ``head``, edge by edge."""

    graph: KnowledgeGraph
    head: Value
    path: list[Edge] = field(default_factory=list)
    seen: set[Value] = field(default_factory=set)
    logp: float = 0.0
    """Of the choices so far, where they were weighed."""

    def __post_init__(self) -> None:
        self.seen.add(self.head)

    @property
    def here(self) -> Value:
        return self.path[-1].target if self.path else self.head

    def ahead(self, question: str, most: int) -> list[Edge]:
        """Up to ``most`` edges to new nodes. A longer list is cut to those whose words are most
        like the question's, in the graph's order: nothing of the answers decides it."""
        edges = [e for e in self.graph.edges(self.here) if e.target not in self.seen]
        if len(edges) <= most:
            return edges
        scores = word_scores(question, [self.graph.statement(e) for e in edges])
        kept = sorted(range(len(edges)), key=lambda i: (-scores[i], i))[:most]
        return [edges[i] for i in sorted(kept)]

    def go(self, edge: Edge, session: Session) -> None:
        """Along an edge that starts here.

        Raises:
            ValueError: it starts elsewhere.
            BudgetExceeded: no move is left.
        """
        if edge.origin != self.here:
            raise ValueError(f"{edge} does not start at {self.here!r}")
        session.move("click", node_id(edge.origin), node_id(edge.target))
        self.path.append(edge)
        self.seen.add(edge.target)

    def back(self, session: Session) -> bool:
        """To the node before; False at the head. The node left stays visited."""
        if not self.path:
            return False
        edge = self.path[-1]
        session.move("back", node_id(edge.target), node_id(edge.origin))
        self.path.pop()
        return True

    def description(self, edge: Edge | None = None) -> str:
        """Where the walk (gone on along ``edge``) leads, said from its head alone: 'the birthplace
        of the author of The Grey Door'. The nodes between are not named."""
        said = one_line(self.graph.name(self.head))
        for step in (*self.path, *([edge] if edge else [])):
            origin = one_line(self.graph.name(step.origin))
            said = one_line(self.graph.words(step)).replace(origin, said, 1)
        return said

    def facts(self) -> list[Passage]:
        """The facts gone along, as passages to read and to cite."""
        return [as_passage(self.graph, e) for e in self.path]


Pick = Callable[[Walk, Sequence[Edge], bool], Awaitable[Edge | None]]
"""(walk, edges ahead, may it stop here) → the edge to take; None: arrived."""


async def wander(
    walk: Walk,
    question: Question,
    session: Session,
    pick: Pick,
    *,
    named: Container[Value],
    goals: Container[Value] | None = None,
    hops: int = 5,
    most: int = 30,
) -> Walk:
    """Go where ``pick`` says, up to ``hops`` moves; a step back counts as one.

    With ``goals`` the walk ends on the first of them and nowhere else; without, it may end on any
    node that the question doesn't name (``named``).

    Raises:
        BudgetExceeded: no move is left.
    """
    for _ in range(hops):
        edges = walk.ahead(question.text, most)
        if not edges:
            # Nothing new lies ahead: that is arriving, unless a goal is still to be found.
            if goals is None or not walk.back(session):
                break
            continue
        edge = await pick(walk, edges, goals is None and walk.here not in named)
        if edge is None:
            break
        walk.go(edge, session)
        if goals is not None and edge.target in goals:
            break
    return walk


def as_passage(graph: KnowledgeGraph, edge: Edge) -> Passage:
    """An edge's fact as a passage; its id is ``fact_id``."""
    return Passage(fact_id(edge.fact), one_line(graph.statement(edge)), graph.name(edge.origin))


def fact_id(fact: Fact) -> str:
    """A fact as a citation: 'subject|relation|object', of ids."""
    return f"{fact.subject}|{fact.relation}|{node_id(fact.object)}"


def node_id(node: Value) -> str:
    """A node in a path: an entity's id, a date or number as JSON."""
    return node if isinstance(node, str) else dump_json(value_to_json(node))


def arrived(walk: Walk, session: Session, confidence: float | None = None) -> Answer:
    """What a walk comes to: the node it ended on, the nodes on the way, the facts between them."""
    session.note("path: " + " ".join(one_line(walk.graph.statement(e)) for e in walk.path))
    return Answer(
        walk.graph.name(walk.here),
        session.trace,
        confidence=confidence,
        citations=tuple(dict.fromkeys(fact_id(e.fact) for e in walk.path)),
        path=tuple(node_id(v) for v in (walk.head, *(e.target for e in walk.path))),
    )


def heads(graph: KnowledgeGraph, question: Question) -> tuple[str, ...]:
    """V_q: the entities of the question that have a step to take, in order of mention."""
    return tuple(e for e in graph.link(question.text) if graph.edges(e))
