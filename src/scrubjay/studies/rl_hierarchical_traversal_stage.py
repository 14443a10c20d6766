"""Paper 28: the world, the questions and the five models that start from one checkpoint.

    start       learned the corpus of a TreeWorld: local facts of all nodes, walks of some
    answer      start + supervised on  question -> name
    filler      start + supervised on  question -> as many empty tokens as a walk has -> name
    rl          start + GRPO, rewarded for the right name alone
    immediate   the same, but every answer must begin with the name: no room for a walk
    trace       start + supervised on rl's own right answers (distillation)

All see the same questions in the same order, as many updates, the same batch and learning rate.
The questions are about nodes of which the corpus tells neither a walk nor a definition, half of
them; the other half is held out. (On nodes with a definition the start model answers in one step
and is right: every group of samples would be equal, and no reward could teach anything.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scrubjay.core.progress import Progress
from scrubjay.core.randomness import derive, stream
from scrubjay.models.tiny import TinySpec, build_tiny, cached_tiny
from scrubjay.training.grpo import GRPO, Task, train_grpo
from scrubjay.training.pretrain import Example, Schedule, train_causal
from scrubjay.training.rollouts import Rollout, sample_rollouts
from scrubjay.worlds.trees import Mix, TreeWorld

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

Arm = Literal["start", "answer", "filler", "rl", "immediate", "trace"]
ARMS: tuple[Arm, ...] = ("start", "answer", "filler", "rl", "immediate", "trace")
Prompted = Literal["plain", "immediate", "walk", "structured", "scrambled"]
PROMPTS: tuple[Prompted, ...] = ("plain", "immediate", "walk", "structured", "scrambled")
"""How an answer is begun: not at all, with the name, as a walk, with the first level of the walk,
with another first level."""
MIX = Mix(walks=0.5, definitions=0.2)
END, FILLER = 1, "."
"""Token id that begins and ends a line; the empty word of the filler arm."""
Report = Progress


@dataclass(frozen=True, slots=True)
class Size:
    """How large a world, how large models, how long training."""

    branching: int
    depth: int
    width: int
    layers: int
    steps: int
    batch: int
    updates: int
    asked: int = 16
    """Questions in an update; each is sampled ``group`` times."""
    group: int = 8
    rate: float = 3e-4
    seeds: int = 1
    code: Literal["prefix", "opaque"] = "prefix"
    mix: Mix = MIX


SIZES = {
    "smoke": Size(3, 2, 32, 1, steps=30, batch=16, updates=2, asked=4, group=4),
    "laptop": Size(8, 3, 64, 2, steps=1500, batch=64, updates=120, seeds=3),
    "full": Size(4, 5, 192, 4, steps=8000, batch=64, updates=600, rate=1e-4, seeds=3),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: the names on the way, the final name, whether it is right, tokens written."""

    node: str
    path: tuple[str, ...]
    name: str
    right: bool
    tokens: int


class Stage:
    """A world, its words as token ids, and its split of questions."""

    def __init__(self, size: Size, seed: int) -> None:
        self.size, self.seed = size, seed
        self.world = TreeWorld(size.branching, size.depth, size.code, derive(seed, "world") % 2**31)
        self.lines = self.world.corpus(size.mix)
        words = {w for line in self.lines for w in line.text.split()}
        words |= {w for code in self.world.codes.values() for w in code.split()} | {FILLER}
        self._ids = {word: i for i, word in enumerate(sorted(words), 4)}
        self._words = {i: word for word, i in self._ids.items()}
        told = self.world.told(size.mix)
        silent = [id for id, kind in told.items() if kind == "fact"]
        stream(seed, "held out").shuffle(silent)
        self.asked, self.held_out = silent[: len(silent) // 2], silent[len(silent) // 2 :]
        self.most = 3 * size.depth + 2 * size.depth + 6
        """Tokens an answer may have: a whole walk and a little more."""

    @property
    def vocabulary(self) -> int:
        return len(self._ids) + 4

    def ids(self, text: str) -> list[int]:
        return [self._ids[word] for word in text.split()]

    def text(self, ids: Sequence[int]) -> str:
        return " ".join(self._words[i] for i in ids if i in self._words)

    def forced(self, node: str, prompt: Prompted) -> str:
        """What is written for the model after the question."""
        if prompt in ("plain", "immediate"):
            return "name" if prompt == "immediate" else ""
        first = node[0]
        if prompt == "scrambled":  # as structured, but another first level than the node's
            others = [r for r in self.world.tree.roots if r != first]
            first = stream(self.seed, "scrambled", node).choice(others)
        name = self.world.tree.nodes[first].name
        turn = f"{first} is" if self.world.code == "prefix" else "is"
        return "path" if prompt == "walk" else f"path {turn} {name} ,"

    def question(self, node: str, forced: str = "") -> list[int]:
        return [END, *self.ids(f"{self.world.ask(node)} {forced}")]

    def read(self, node: str, forced: str, rollout: Rollout) -> Reply:
        """A rollout as an answer; what was forced is part of it."""
        written = self.text(rollout.written)
        path, name = self.world.parse(f"{forced} {written}".strip())
        right = name == self.world.tree.nodes[node].name
        return Reply(node, path, name, right, len(rollout.written))

    def replies(
        self,
        model: LlamaForCausalLM,
        nodes: Sequence[str],
        prompt: Prompted = "plain",
        *,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Reply]:
        """The model's answers to questions about the nodes."""
        begun = [self.forced(node, prompt) for node in nodes]
        asked = [self.question(node, text) for node, text in zip(nodes, begun)]
        rollouts = sample_rollouts(
            model, asked, most=self.most, end=END, temperature=temperature, seed=seed
        )
        return [self.read(n, text, r) for n, text, r in zip(nodes, begun, rollouts)]

    def drawn(self, update: int) -> list[str]:
        """The nodes asked about in an update, the same for every arm."""
        draw = stream(self.seed, "asked", update)
        return [draw.choice(self.asked) for _ in range(self.size.asked)]

    def task(self, forced: str = "") -> Task[str]:
        """Reward 1 for the right name, 0 for another, −0.1 for none."""

        def rollout(model: LlamaForCausalLM, nodes: Sequence[str], seed: int) -> Sequence[Rollout]:
            asked = [self.question(node, forced) for node in nodes]
            return sample_rollouts(model, asked, most=self.most, end=END, seed=seed)

        def reward(node: str, rollout: Rollout) -> float:
            reply = self.read(node, forced, rollout)
            return float(reply.right) if reply.name else -0.1

        return Task(self.drawn, rollout, reward)

    def lesson(self, node: str, answer: str) -> Example:
        """Learn the answer, not the question."""
        asked, said = self.question(node), [*self.ids(answer), END]
        return Example([*asked, *said], [False] * len(asked) + [True] * len(said))

    def filler(self, node: str) -> str:
        """As long as the node's walk, saying nothing before the name."""
        direct = self.world.direct(node)
        empty = len(self.world.walked(node).split()) - len(direct.split())
        return f"{' '.join([FILLER] * empty)} {direct}"


def train(stage: Stage, arm: Arm, report: Report) -> LlamaForCausalLM:
    """The model of an arm; from the cache if it was trained before."""

    def make(scratch: Path) -> LlamaForCausalLM:
        if arm == "start":
            return _start(stage, scratch / "start", report)
        model = train(stage, "start", report)
        if arm in ("rl", "immediate"):
            _reinforce(stage, arm, model, scratch / arm, report)
        else:
            _supervise(stage, arm, model, scratch / arm, report)
        return model

    return cached_tiny(
        {"study": 28, "version": 1, "size": asdict(stage.size), "seed": stage.seed, "arm": arm},
        make,
    )


def _start(stage: Stage, checkpoint: Path, report: Report) -> LlamaForCausalLM:
    size = stage.size
    spec = TinySpec(
        stage.vocabulary,
        size.width,
        size.layers,
        heads=max(2, size.width // 32),
        feedforward=size.width * 5 // 2,
        context=128,
        seed=derive(stage.seed, "weights") % 2**31,
    )
    lines = [[END, *stage.ids(line.text), END] for line in stage.lines]
    examples = [Example(ids, [False] + [True] * (len(ids) - 1)) for ids in lines]

    def batch(step: int) -> list[Example]:
        draw = stream(stage.seed, "corpus", step)
        return [draw.choice(examples) for _ in range(size.batch)]

    def look(done: int, loss: float) -> bool:
        report(f"corpus, seed {stage.seed}", done, size.steps)
        return False

    model = build_tiny(spec)
    # Strong weight decay: where learning by heart is dear, steps of walks are shared with facts.
    schedule = Schedule(size.steps, rate=4e-3, decay=0.3)
    train_causal(model, batch, schedule, checkpoint=checkpoint, look=look)
    return model


def _supervise(
    stage: Stage, arm: Arm, model: LlamaForCausalLM, checkpoint: Path, report: Report
) -> None:
    size = stage.size
    answers = {
        "answer": {node: stage.world.direct(node) for node in stage.asked},
        "filler": {node: stage.filler(node) for node in stage.asked},
        "trace": _traces(stage, report) if arm == "trace" else {},
    }[arm]
    if not answers:
        return  # the teacher was never right: there is nothing to distil

    def batch(step: int) -> list[Example]:
        draw = stream(stage.seed, "lesson", step)
        nodes = [n for n in stage.drawn(step) if n in answers]
        nodes += [draw.choice(sorted(answers)) for _ in range(size.asked - len(nodes))]
        # GRPO has ``group`` rollouts of each question; that many equal rows would give the gradient
        # of one.
        return [stage.lesson(node, answers[node]) for node in nodes]

    def look(done: int, loss: float) -> bool:
        report(f"{arm}, seed {stage.seed}", done, size.updates)
        return False

    schedule = Schedule(size.updates, rate=size.rate, warmup=1, decay=0.0)
    train_causal(model, batch, schedule, checkpoint=checkpoint, look=look)


def _traces(stage: Stage, report: Report) -> dict[str, str]:
    """What the RL model writes where it is right."""
    teacher = train(stage, "rl", report)
    nodes = stage.asked
    rollouts = sample_rollouts(
        teacher, [stage.question(n) for n in nodes], most=stage.most, end=END, temperature=0.0
    )
    return {
        node: stage.text(rollout.written)
        for node, rollout in zip(nodes, rollouts)
        if stage.read(node, "", rollout).right
    }


def _reinforce(
    stage: Stage, arm: Arm, model: LlamaForCausalLM, checkpoint: Path, report: Report
) -> None:
    size = stage.size

    def look(done: int, update: object) -> bool:
        report(f"{arm}, seed {stage.seed}", done, size.updates)
        return False

    settings = GRPO(size.updates, size.group, size.rate, seed=stage.seed)
    task = stage.task("name" if arm == "immediate" else "")
    train_grpo(model, task, settings, checkpoint=checkpoint, look=look)
