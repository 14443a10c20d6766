"""STAX: explore in a behaviour space that is learned on the way, exploit every reward, in turns.

    until the budget is spent, in chunks:
        explore   children of the population; keep the novel and the surprising; every child with a
                  reward becomes a candidate
        exploit   (if there is anything to) try candidates, most novel first: those that improve
                  become emitters; then run emitters from the Pareto front of (novelty, improvement)
        after 1, 2, 3, … more chunks of exploring: train the autoencoder, describe all again

The same machine with parts taken out is its family (``methods``): TAXONS has no emitters, SERENE
is given the behaviour space, novelty search has neither, STAX-NT never trains.

Source: STAX (paper 27), section 3 of our sheet. Ours: an emitter's members lie a third of the way
to the nearest neighbour, whatever the number of weights, and never wider than mutations; a
candidate is tried only if its whole trial fits the budget; the population begins drawn evenly; the
stagnation window can be shortened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from scrubjay.core.errors import UnknownName
from scrubjay.core.progress import Count, silent
from scrubjay.core.randomness import derive, numpy_stream
from scrubjay.deciding.diversity.descriptors import Descriptor, LearnedDescriptor
from scrubjay.deciding.diversity.emitters import (
    CHILDREN,
    MEMBERS,
    CMAEmitter,
    ElitistEmitter,
    improvement,
    stagnant,
)
from scrubjay.deciding.diversity.spaces import fronts, novelty, select
from scrubjay.deciding.diversity.tally import Tally
from scrubjay.deciding.diversity.types import (
    Evaluations,
    Floats,
    Ints,
    Outcome,
    Problem,
    SearchError,
)

Survival = Literal["pareto", "coin", "novelty", "reward"]
Schedule = Literal["alternate", "even", "remaining"]
Local = ElitistEmitter | CMAEmitter
TRIAL = 5
"""Steps of a candidate's trial after its first members."""


@dataclass
class Stax:
    """The search; ``run`` leaves nothing behind, so one object may run many times.

    Args:
        descriptor: the behaviour space, learned or given.
        survival: who stays in the population: 'pareto' of novelty and surprise (as reported),
            'coin' one of the two by turns of a coin (TAXONS), 'novelty' alone, 'reward' the
            Pareto front of novelty and reward (NSGA-II).
        exploit: whether rewards are followed by emitters.
        emitter: 'elitist' or 'cma'.
        schedule: 'alternate', 'even' (a coin), or 'remaining' (explores with the share of the
            budget that is left).
        population: its size.
        sigma: spread of mutations.
        keep: children drawn for the archive in each generation (λ).
        chunk: evaluations between turns.
        window: steps in which an emitter must improve; by default the paper's 20 p / 6 + 120.

    Raises:
        UnknownName, SearchError: a setting that can't be.
    """

    descriptor: Descriptor = field(default_factory=LearnedDescriptor)
    survival: Survival = "pareto"
    exploit: bool = True
    emitter: Literal["elitist", "cma"] = "elitist"
    schedule: Schedule = "alternate"
    population: int = 50
    sigma: float = 0.5
    keep: int = 5
    chunk: int = 500
    window: int | None = None

    def __post_init__(self) -> None:
        for value, kinds, what in (
            (self.survival, get_args(Survival), "rule of survival"),
            (self.schedule, get_args(Schedule), "schedule"),
            (self.emitter, ("elitist", "cma"), "emitter"),
        ):
            if value not in kinds:
                raise UnknownName(what, value, kinds)
        if self.population < 2 or self.keep < 1 or self.chunk < 1 or not self.sigma > 0:
            raise SearchError("a search needs a population of two, chunks, and a spread above 0")
        if self.window is not None and self.window < 2:
            raise SearchError("the window of an emitter needs at least two steps")

    def run(
        self, problem: Problem, budget: int, seed: int = 0, progress: Count = silent
    ) -> Outcome:
        """Search with ``budget`` evaluations; the same seed gives the same outcome.

        Raises:
            SearchError: a budget below 1, or what the problem raises.
        """
        self.descriptor.begin(derive(seed, "descriptor") % 2**31)
        return _Run(self, Tally(problem, budget, self.chunk, progress=progress), seed).all()


class _Kept:
    """Individuals with their descriptors, which move when the space is trained."""

    def __init__(self, descriptor: Descriptor, found: Evaluations) -> None:
        self.descriptor, self.found = descriptor, found
        self.again()

    def again(self) -> None:
        self.points, self.surprise = self.descriptor.describe(self.found)

    def add(self, found: Evaluations, points: Floats, surprise: Floats) -> None:
        self.found = Evaluations.join([self.found, found])
        self.points = np.concatenate([self.points, points])
        self.surprise = np.concatenate([self.surprise, surprise])

    def put(self, found: Evaluations) -> None:
        self.add(found, *self.descriptor.describe(found))


class _Run:
    def __init__(self, how: Stax, tally: Tally, seed: int) -> None:
        self.how, self.tally = how, tally
        self.rng = numpy_stream(seed, "stax")
        low, high = tally.problem.bounds
        first = self.rng.uniform(low, high, (how.population, tally.problem.genome))
        found = tally.evaluate(first, "explore")
        self.population = _Kept(how.descriptor, found)
        self.archive = _Kept(how.descriptor, found.take(slice(0, min(how.keep, len(found)))))
        self.rewards = _Kept(how.descriptor, found.take(found.reward > 0))
        self.candidates = [found.take([i]) for i in np.flatnonzero(found.reward > 0)]
        self.emitters: list[Local] = []
        self.buffers: dict[int, list[Evaluations]] = {}
        self.errors: list[float] = []
        p = tally.problem.genome
        self.window = how.window or int(20 * p / 6 + 120)

    def all(self) -> Outcome:
        interval, explored, turn = 1, 0, 0
        while self.tally.left:
            if self._exploits(turn) and self._exploit():
                turn += 1
                continue
            self._explore()
            explored, turn = explored + 1, turn + 1
            if self.how.descriptor.learns and explored == interval and self.tally.left:
                self._train()
                explored, interval = 0, interval + 1
        return self.tally.outcome([self.archive.found, self.rewards.found], self.errors)

    def _exploits(self, turn: int) -> bool:
        if not self.how.exploit or not (self.candidates or self.emitters):
            return False
        if self.how.schedule == "alternate":
            return turn % 2 == 1
        share = 0.5
        if self.how.schedule == "remaining":
            share = 1 - self.tally.left / self.tally.budget
        return bool(self.rng.random() < share)

    # --- exploring ---

    def _explore(self) -> None:
        end = self.tally.used + min(self.how.chunk, self.tally.left)
        while self.tally.used < end:
            parents = np.repeat(self.population.found.genomes, 2, axis=0)[: end - self.tally.used]
            children = parents + self.how.sigma * self.rng.standard_normal(parents.shape)
            found = self.tally.evaluate(np.clip(children, *self.tally.problem.bounds), "explore")
            points, surprise = self.how.descriptor.describe(found)
            good = np.flatnonzero(found.reward > 0)
            if len(good):
                self.rewards.add(found.take(good), points[good], surprise[good])
                self.candidates += [found.take([i]) for i in good]
            self._survive(found, points, surprise)
            drawn = self.rng.permutation(len(found))[: self.how.keep]
            self.archive.add(found.take(drawn), points[drawn], surprise[drawn])

    def _survive(self, found: Evaluations, points: Floats, surprise: Floats) -> None:
        pool = self.population
        size = min(self.how.population, len(pool.found) + len(found))
        pool.add(found, points, surprise)
        reference = np.concatenate([pool.points, self.archive.points, self.rewards.points])
        new = novelty(pool.points, reference, inside=True)
        rows = self._chosen(new, pool.surprise, pool.found.reward, size)
        pool.found = pool.found.take(rows)
        pool.points, pool.surprise = pool.points[rows], pool.surprise[rows]

    def _chosen(self, new: Floats, surprise: Floats, reward: Floats, size: int) -> Ints:
        if self.how.survival == "pareto" and self.how.descriptor.learns:
            return select(np.column_stack([new, surprise]), size)
        if self.how.survival == "reward":
            return select(np.column_stack([new, reward]), size)
        by = new
        if self.how.survival == "coin" and self.rng.random() < 0.5:
            by = surprise
        return np.argsort(-by, kind="stable")[:size]

    def _train(self) -> None:
        known = [k.found for k in (self.archive, self.population, self.rewards)]
        error = self.how.descriptor.fit(Evaluations.join(known))
        if error is not None:
            self.errors.append(error)
        for kept in (self.archive, self.population, self.rewards):
            kept.again()

    # --- exploiting ---

    def _exploit(self) -> bool:
        """One chunk of it; False when there was nothing that could be done."""
        begin = self.tally.used
        end = begin + min(self.how.chunk, self.tally.left)
        self._try_candidates(begin + 2 * (end - begin) // 3, end)
        while self.emitters and self.tally.used < end:
            self._run_emitter(self.emitters[self._pick()], end)
        return self.tally.used > begin

    def _try_candidates(self, enough: int, end: int) -> None:
        cost = MEMBERS + TRIAL * MEMBERS * CHILDREN
        if not self.candidates:
            return
        order = np.argsort(-self._far(self.candidates), kind="stable")
        waiting = [self.candidates[i] for i in order]
        while waiting and self.tally.used < enough and end - self.tally.used >= cost:
            emitter = self._emitter(waiting.pop(0))
            for _ in range(1 + TRIAL):
                self._step(emitter, "candidates")
            if improvement(emitter) > 0:
                self.emitters.append(emitter)
            else:
                self.buffers.pop(id(emitter), None)
        self.candidates = waiting

    def _run_emitter(self, emitter: Local, end: int) -> None:
        while self.tally.used < end:
            self._step(emitter, "emitters")
            if stagnant(emitter, self.window):
                self._end(emitter)
                return

    def _end(self, emitter: Local) -> None:
        buffer = self.buffers.pop(id(emitter), [])
        if buffer:
            novel = Evaluations.join(buffer)
            self.archive.put(novel.take(self.rng.permutation(len(novel))[: self.how.keep]))
        self.archive.put(emitter.ancestor)
        self.emitters = [e for e in self.emitters if e is not emitter]

    def _emitter(self, ancestor: Evaluations) -> Local:
        genome = ancestor.genomes[0]
        away = np.linalg.norm(self.population.found.genomes - genome, axis=1)
        away = away[away > 1e-12]
        sigma = self.how.sigma
        if len(away):  # a draw with spread s in each of p places lies about s √p away
            sigma = min(sigma, float(away.min()) / (3 * len(genome) ** 0.5))
        kind = ElitistEmitter if self.how.emitter == "elitist" else CMAEmitter
        return kind(ancestor, sigma, self.tally.problem.bounds, self.rng)

    def _step(self, emitter: Local, purpose: str) -> None:
        found = self.tally.evaluate(emitter.ask(), purpose)
        if not len(found):
            return
        emitter.tell(found)
        better = found.take(found.reward > emitter.best)
        if len(better):
            self.rewards.put(better)
            emitter.best = float(better.reward.max())
        # Those that are newer than all before it are offered to the archive when it ends.
        buffer = self.buffers.setdefault(id(emitter), [])
        record = buffer[-1] if buffer else emitter.ancestor
        new = self._far([record, found])
        if new[1:].max() > new[0]:
            buffer.append(found.take([int(new[1:].argmax())]))

    def _pick(self) -> int:
        """An emitter of the first front of (novelty of its ancestor, improvement)."""
        new = self._far([e.ancestor for e in self.emitters])
        value = np.column_stack([new, [improvement(e) for e in self.emitters]])
        return int(self.rng.choice(np.flatnonzero(fronts(value) == 0)))

    def _far(self, rows: Any) -> Floats:
        """Novelty of individuals against the rewarding solutions, in the space as it is now."""
        points, _ = self.how.descriptor.describe(Evaluations.join(rows))
        if not len(self.rewards.points):
            return np.zeros(len(points))
        return novelty(points, self.rewards.points, inside=False)
