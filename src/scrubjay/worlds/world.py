"""A world: a universe and what things are called in it.

    real = World.build(universe, "atlas")
    twin = real.twin(seed=1)              # same facts, same pages, invented names
    twin.documents(), twin.questions("recall", 100)

On disk a world is a folder with ``universe.jsonl``, ``names.<map>.json``, ``docs.jsonl`` (segments)
and ``manifest.json``; rendered text is derived, never stored (SynthWorlds, section 5 of the sheet).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from scrubjay.core.errors import ScrubjayError
from scrubjay.core.files import dump_json, folder_atomic
from scrubjay.core.nouns import Passage, Question
from scrubjay.worlds.documents import MarkedDocument
from scrubjay.worlds.lengths import TokenCounter
from scrubjay.worlds.names import NameMap
from scrubjay.worlds.universe import Universe
from scrubjay.worlds.writer import TemplateWriter

if TYPE_CHECKING:
    from scrubjay.worlds.knowledge import KnowledgeGraph

SCHEMA = 1
"""Version of the folder's layout."""


@dataclass(frozen=True, eq=False)
class World:
    """Facts, pages and names. Make one with ``build``, ``load`` or ``load_world``."""

    name: str
    universe: Universe
    names: NameMap
    marked: tuple[MarkedDocument, ...]
    """The pages before anybody has chosen names; a twin shares them."""
    seed: int | None = None
    """Of the invented names; None for the real world."""
    _questions: dict[tuple[str, int, int], list[Question]] = field(default_factory=dict, repr=False)

    @cached_property
    def knowledge(self) -> KnowledgeGraph:
        """The facts as a graph to walk on, told with this world's names; made on first use."""
        from scrubjay.worlds.knowledge import KnowledgeGraph

        return KnowledgeGraph(self.universe, self.names)

    @classmethod
    def build(cls, universe: Universe, name: str) -> World:
        """The real world of a universe, its pages written.

        Raises:
            ScrubjayError: the universe has a fault (two entities with one name, a relation without
                phrasing, an entity that nothing leads to, …); before anything is written.
        """
        from scrubjay.worlds.check import check_universe

        check_universe(universe)
        return cls(name, universe, NameMap.real(universe), TemplateWriter(universe).write())

    @property
    def is_twin(self) -> bool:
        """Whether its names are invented."""
        return self.seed is not None

    def twin(self, seed: int, tokens: TokenCounter | None = None) -> World:
        """The same universe and pages with invented names; other seeds give other twins.

        Args:
            tokens: counts the tokens by which names are matched in length (default: the embedded
                model's).

        Raises:
            ScrubjayError: a real name can still be read in it; the sentence names the place.
        """
        from scrubjay.worlds.twins import make_twin_names

        origin = self.name.removesuffix(f"-twin{self.seed}") if self.is_twin else self.name
        names = make_twin_names(self.universe, seed, tokens)
        twin = World(f"{origin}-twin{seed}", self.universe, names, self.marked, seed)
        twin._refuse_leaks()
        return twin

    def documents(self) -> tuple[Passage, ...]:
        """The pages, told in this world: one per entity that owns one, with links."""
        return self._documents

    @cached_property
    def _documents(self) -> tuple[Passage, ...]:
        owners = {d.entity for d in self.marked}
        return tuple(d.render(self.names, owners) for d in self.marked)

    @cached_property
    def pages(self) -> Mapping[str, Passage]:
        """The pages by id, which is the id of the entity that owns it."""
        return MappingProxyType({p.id: p for p in self._documents})

    def questions(self, task: str, n: int, seed: int = 0) -> list[Question]:
        """Up to ``n`` questions of a task: 'recall', 'multihop' or 'navigation'.

        A world and its twins give the same ids in the same order.

        Raises:
            UnknownName: no such task.
            ScrubjayError: the universe holds no item of this task.
        """
        from scrubjay.worlds import tasks

        if (task, n, seed) not in self._questions:
            items = tasks.sample(task, self.universe, self.marked, n, seed)
            self._questions[task, n, seed] = [tasks.render(item, self.names) for item in items]
        return list(self._questions[task, n, seed])

    def every_question(self, n: int, seed: int = 0) -> list[Question]:
        """Up to ``n`` questions of every task that this world has questions for."""
        from scrubjay.worlds.tasks import TASKS, render

        return [
            render(item, self.names)
            for sampler in TASKS.values()
            for item in (sampler(self.universe, self.marked, n, seed) if n else ())
        ]

    @cached_property
    def hash(self) -> str:
        """Digest of facts, pages and names: the same on every machine."""
        digest = hashlib.sha256(self.universe.hash.encode())
        for record in (*(d.to_json() for d in self.marked), *self.names.to_records()):
            digest.update(dump_json(record).encode())
        return digest.hexdigest()

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the world to ``folder``, whole or not at all.

        Raises:
            ScrubjayError: a twin in which a real name can be read is not saved.
            DiskError: the disk is full or not writable.
        """
        if self.is_twin:
            self._refuse_leaks()
        with folder_atomic(folder) as new:
            _lines(new / "universe.jsonl", [dump_json(r) for r in self.universe.records()])
            _lines(new / "docs.jsonl", [dump_json(d.to_json()) for d in self.marked])
            maps = {NameMap.real(self.universe).label: NameMap.real(self.universe)}
            maps[self.names.label] = self.names
            for label, names in maps.items():
                (new / f"names.{label}.json").write_text(
                    dump_json(names.to_records()), encoding="utf-8"
                )
            (new / "manifest.json").write_text(dump_json(self._manifest(), indent=2), "utf-8")

    def _manifest(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "name": self.name,
            "seed": self.seed,
            "map": self.names.label,
            "entities": len(self.universe.entities),
            "relations": len(self.universe.relations),
            "facts": len(self.universe.facts),
            "documents": len(self.marked),
            "hash": self.hash,
        }

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> World:
        """The world that ``save`` wrote.

        Raises:
            InputError: the folder holds no world, one of another version, or a damaged one.
        """
        from scrubjay.worlds.store import load

        return load(Path(folder))

    def export(
        self, folder: str | PathLike[str], questions: Sequence[Question] | None = None
    ) -> None:
        """Write pages as Markdown and questions as JSON Lines, for any other pipeline.

        Args:
            questions: by default 100 of every task.
        """
        from scrubjay.worlds.export import export

        export(self, folder, self.every_question(100) if questions is None else questions)

    def _refuse_leaks(self) -> None:
        from scrubjay.worlds.leaks import check_leaks, leaks_in_names

        leaks = leaks_in_names(self.names, self.universe, most=3)
        leaks += check_leaks({p.id: p.text for p in self._documents}, self.universe, most=3)
        if leaks:
            raise ScrubjayError(
                f"the world '{self.name}' lets real names be read, so it is refused: "
                f"{'; '.join(map(str, leaks[:3]))}; if it stands in a phrasing, reword the relation"
            )


def load_world(spec: str, *, seed: int = 0) -> World:
    """The world that ``spec`` names.

    Args:
        spec: 'atlas', 'random', 'random:ENTITIES', a folder made by ``World.save``, or a file of
            facts (.nt, .ttl, .csv, .tsv, .jsonl, Wikidata .json, .json.gz, .json.bz2).
        seed: of a random universe.

    Raises:
        UnknownName: no such world.
        InputError: the file or folder can't be read.
        ScrubjayError: the universe has a fault.
    """
    from scrubjay.worlds.sources import load_universe

    if Path(spec).is_dir():
        return World.load(spec)
    universe = load_universe(spec, seed=seed)
    name = Path(spec).stem.split(".")[0] if Path(spec).is_file() else spec.replace(":", "-")
    return World.build(universe, name)


def _lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
