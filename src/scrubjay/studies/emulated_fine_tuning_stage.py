"""The ground of study 20: a world of common and rare facts, and models of two sizes trained twice.

    pre-training   Ana Brusk was born in Torvik . She works for Arnco .   common people often
                   where was Ana Brusk born ? Torvik .                    common people only
                   where was Ana Brusk born ? answer Torvik               half of them, now and then
    fine-tuning    where was Ana Brusk born ? answer Torvik               half of the common people
                   where is Ana Brusk today ? search                      what no weights can hold

Where somebody is *today* is told at random every time. Fine-tuning teaches two things, a format and
to say ``search`` about what changes, and no fact that is asked later: the people asked about never
occur in it. The bases have met the format before, as one reply among others (``MET``) and about the
same people as the lessons: what a base finds impossible can't be weighted up, and behind a word
that it never saw it has no knowledge to lend. A large and a small model are pre-trained on the same
text in the same order, and each is fine-tuned on the same lessons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from scrubjay.core.randomness import derive, stream
from scrubjay.models.tiny import TinySpec, build_tiny, cached_tiny, train_tokenizer
from scrubjay.models.weights import Weights
from scrubjay.studies.parallel import Report
from scrubjay.training.pretrain import Example, Schedule, train_causal
from scrubjay.worlds.biographies import FILED, TOLD, BioWorld

ASKED = {
    "birthplace": "where was {s} born ?",
    "employer": "whom does {s} work for ?",
    "instrument": "what does {s} play ?",
}
"""The relations of this world that stay, and how one asks for them."""
TODAY, IS_IN = "where is {s} today ?", "{s} is in {v} today ."
"""What changes: the question, and how prose tells it."""
ANSWER, SEARCH = "answer", "search"
MET = 1 / 8
"""Share of the conversations in pre-training that are in the format of the lessons."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's size and how long it is trained."""

    width: int
    layers: int
    heads: int
    steps: int
    rate: float = 3e-3


@dataclass(frozen=True, slots=True)
class Size:
    """Everything about scale. The training settings enter the cache key of the models."""

    people: int = 200
    small: Shape = Shape(32, 2, 2, 1200, 4e-3)
    large: Shape = Shape(96, 3, 3, 1500)
    batch: int = 64
    tuning: int = 300
    """Steps of fine-tuning."""
    tuning_rate: float = 1e-3
    seeds: int = 3
    asked: int = 150
    """Questions of each kind: rare facts, common facts, what changes."""
    drawn: int = 320
    """Tokens drawn for the test of speculative sampling."""


SIZES: dict[str, Size] = {
    "smoke": Size(
        30, Shape(16, 1, 2, 30), Shape(32, 1, 2, 30), 16, 20, 1e-3, 1, asked=12, drawn=60
    ),
    "laptop": Size(),
    "full": Size(1000, Shape(64, 2, 4, 3000), Shape(256, 6, 8, 6000), 64, 500, seeds=5, asked=500),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its true answer (``None`` where it changes), and what kind of fact it is."""

    text: str
    relation: str
    truth: str | None
    kind: str


class Ground:
    """The world of one seed, its texts and its questions."""

    def __init__(self, size: Size, seed: int) -> None:
        self.size, self.seed = size, seed
        self.world = BioWorld(size.people, seed=seed)
        third = size.people // 3
        order = list(self.world.people)
        stream(seed, "fame").shuffle(order)
        self.taught, self.common, self.rare = (
            order[:third],
            order[third : 2 * third],
            order[2 * third :],
        )
        # Common people are told eight times as often as rare ones.
        self._told = [*(self.taught + self.common) * 8, *self.rare]

    @cached_property
    def tokenizer(self) -> Any:
        """Whole words: every name is one token."""
        random = stream(self.seed, "vocabulary")
        texts = [self.document(p, random) for p in self.world.people for _ in range(6)]
        texts += [self._chat(p, random) for p in self.taught for _ in range(6)]
        texts += [f"{self._question(p, random)} {w}" for p in self.rare for w in (ANSWER, SEARCH)]
        texts += [" ".join(vs) for r in ASKED for vs in [self.world.values[r]] for _ in range(4)]
        return train_tokenizer(texts * 3, 8000)

    def document(self, person: str, random: Random) -> str:
        """Two facts about a person in prose."""
        if random.random() < 0.2:
            place = random.choice(self.world.values["birthplace"])
            return IS_IN.format(s=person, v=place)
        first, second = random.sample(list(ASKED), 2)
        value = self.world.value
        head = random.choice(FILED[first]).format(s=person, v=value(person, first))
        return f"{head} {random.choice(TOLD[second])} {value(person, second)} ."

    def _question(self, person: str, random: Random) -> str:
        return ASKED[random.choice(list(ASKED))].format(s=person)

    def _chat(self, person: str, random: Random) -> str:
        """What a web page holds: a question and its bare answer, or words about searching."""
        if random.random() < MET:
            return " ".join(self._exchange(random, random.random() < 0.5))
        if random.random() < 0.25:
            return f"{TODAY.format(s=person)} {random.choice(self.world.values['birthplace'])} ."
        relation = random.choice(list(ASKED))
        asked, value = ASKED[relation].format(s=person), self.world.value(person, relation)
        return random.choice(
            [f"{asked} {value} ."] * 4
            + [f"{asked} the answer is {value} .", f"{asked} people search for {person} ."]
        )

    def pretraining(self, step: int) -> list[Example]:
        """One batch of prose, an eighth of it conversations about common people."""
        random = stream(self.seed, "prose", step)
        texts = [
            self._chat(random.choice(self.taught + self.common), random)
            if i % 8 == 0
            else self.document(random.choice(self._told), random)
            for i in range(self.size.batch)
        ]
        return [self._whole(t) for t in texts]

    def tuning(self, step: int) -> list[Example]:
        """One batch of lessons about taught people: facts are answered, what changes is not."""
        random = stream(self.seed, "lessons", step)
        return [self._lesson(random, i % 2 == 0) for i in range(self.size.batch)]

    def _exchange(self, random: Random, stays: bool) -> tuple[str, str]:
        """A question about a taught person, and the reply that lessons teach."""
        relation, person = random.choice(list(ASKED)), random.choice(self.taught)
        reply = f"{ANSWER} {self.world.value(person, relation)}" if stays else SEARCH
        return (ASKED[relation] if stays else TODAY).format(s=person), reply

    def _lesson(self, random: Random, stays: bool) -> Example:
        question, reply = self._exchange(random, stays)
        asked, said = self.encode(question), [*self.encode(reply), self.tokenizer.eos_token_id]
        return Example([*asked, *said], [False] * len(asked) + [True] * len(said))

    def questions(self) -> list[Asked]:
        """As many about rare facts, about common ones that no lesson told, and what changes."""
        random = stream(self.seed, "questions")
        found: list[Asked] = []
        for kind, people in (("rare", self.rare), ("common", self.common)):
            pairs = [(p, r) for p in people for r in ASKED]
            for p, r in random.sample(pairs, min(self.size.asked, len(pairs))):
                found.append(Asked(ASKED[r].format(s=p), r, self.world.value(p, r), kind))
        people = self.common + self.rare
        for person in random.sample(people, min(self.size.asked, len(people))):
            found.append(Asked(TODAY.format(s=person), "birthplace", None, "changes"))
        return found

    def shots(self) -> str:
        """Four worked examples of the taught reply, for a base model that is only prompted."""
        random, lines = stream(self.seed, "shots"), []
        for relation in list(ASKED)[:2]:
            one, other = random.sample(self.taught, 2)
            value = self.world.value(one, relation)
            lines.append(f"{ASKED[relation].format(s=one)} {ANSWER} {value}")
            lines.append(f"{TODAY.format(s=other)} {SEARCH}")
        return " . ".join(lines) + " . "

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _whole(self, text: str) -> Example:
        ids = [*self.encode(text), self.tokenizer.eos_token_id]
        return Example(ids, [True] * len(ids))


@dataclass(frozen=True, slots=True)
class Job:
    """The training of one size for one seed: pre-training and fine-tuning."""

    size: Size
    seed: int
    which: str

    @property
    def shape(self) -> Shape:
        return self.size.small if self.which == "small" else self.size.large


def train_both(job: Job, report: Report) -> dict[str, Weights]:
    """Base and tuned model of one size; from the cache where they were trained before."""
    ground, shape, size = Ground(job.size, job.seed), job.shape, job.size
    tokenizer = ground.tokenizer
    spec = TinySpec(
        len(tokenizer),
        shape.width,
        shape.layers,
        shape.heads,
        shape.width * 4,
        context=128,
        seed=derive(job.seed, "weights", job.which) % 2**31,
    )
    settings = {
        "study": "emulated-fine-tuning",
        "version": 3,
        "people": size.people,
        "batch": size.batch,
        "shape": asdict(shape),
        "seed": job.seed,
    }

    def pretrain(scratch: Path) -> Any:
        model = build_tiny(spec)
        schedule = Schedule(shape.steps, shape.rate)
        train_causal(
            model,
            ground.pretraining,
            schedule,
            checkpoint=scratch / "model.safetensors",
            look=_heard(report, 0),
        )
        return model

    base = cached_tiny({**settings, "stage": "base"}, pretrain)

    def tune(scratch: Path) -> Any:
        model = cached_tiny({**settings, "stage": "base"}, pretrain)
        schedule = Schedule(size.tuning, size.tuning_rate, warmup=20)
        train_causal(
            model,
            ground.tuning,
            schedule,
            checkpoint=scratch / "model.safetensors",
            look=_heard(report, shape.steps),
        )
        return model

    settings |= {"tuning": size.tuning, "tuning_rate": size.tuning_rate}
    tuned = cached_tiny({**settings, "stage": "tuned"}, tune)
    report(shape.steps + size.tuning)
    for model in (base, tuned):
        model.train(False)
        model.requires_grad_(False)
    return {
        "base": Weights(f"{job.which} base", base, tokenizer),
        "tuned": Weights(f"{job.which} tuned", tuned, tokenizer),
    }


def _heard(report: Report, before: int) -> Callable[[int, float], bool]:
    """What a training calls after each step."""

    def look(done: int, loss: float) -> bool:
        report(before + done)
        return False

    return look
