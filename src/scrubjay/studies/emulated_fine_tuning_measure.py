"""Measuring one seed of study 20: corners, combinations, baselines, sweeps and drafting."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrubjay.models.combine import Nucleus
from scrubjay.models.combined import CombinedModel, EmulatedFineTuning
from scrubjay.models.speculative import speculate
from scrubjay.models.weights import Weights
from scrubjay.probing.delta import token_shift
from scrubjay.studies.emulated_fine_tuning_stage import ANSWER, SEARCH, Asked, Ground
from scrubjay.worlds.biographies import FILED

BLOCKS = (2, 4, 8, 16)
TOKENS = 4
"""A reply has two tokens and an end; a few more show that it doesn't end."""
LONG = 12
"""Tokens of what is sampled to test drafting."""
Scores = dict[str, list[float]]
Models = Mapping[str, Mapping[str, Weights]]
"""Size → 'base' and 'tuned'."""


def systems(models: Models) -> dict[str, CombinedModel]:
    """Everything that answers the plain question."""
    small, large = models["small"], models["large"]
    up = (large["base"], small["tuned"], small["base"])
    found: dict[str, CombinedModel] = {
        "small tuned": CombinedModel(small["tuned"], []),
        "large tuned": CombinedModel(large["tuned"], []),
        "up-scaled": EmulatedFineTuning(*up),
        "down-scaled": EmulatedFineTuning(small["base"], large["tuned"], large["base"]),
        "averaged": CombinedModel(large["base"], [(small["tuned"], large["base"], 0.5)]),
        "large base": CombinedModel(large["base"], []),
        "small base": CombinedModel(small["base"], []),
    }
    for beta in (0.25, 0.5, 0.75, 1.5):
        found[f"up-scaled, beta {beta}"] = EmulatedFineTuning(*up, beta=beta)
    for weight in (0.5, 1.5, 2.0):
        found[f"up-scaled, knowledge {weight}"] = CombinedModel(
            small["tuned"], [(large["base"], small["base"], weight)], cap=1e6
        )
    for of in ("base", "tuned"):
        for outside in ("keep", "forbid"):
            name = f"up-scaled, top-p 0.9 of {of}, {outside}"
            found[name] = EmulatedFineTuning(*up, nucleus=Nucleus(0.9, of, outside))
    return found


def measure_seed(ground: Ground, models: Models) -> dict[str, Any]:
    """Scores of every system on every question, shifts by token class, and drafting."""
    asked = ground.questions()
    plain = [q.text for q in asked]
    found = {name: _scored(ground, m, asked, plain) for name, m in systems(models).items()}
    shown = [ground.shots() + q for q in plain]
    large, small = models["large"], models["small"]
    found["large base, prompted"] = _scored(ground, CombinedModel(large["base"], []), asked, shown)
    contrast = CombinedModel(large["base"], [(large["base"], small["base"], 0.5)])
    found["contrastive, prompted"] = _scored(ground, contrast, asked, shown)
    read = [_told(ground, q) + q.text for q in asked]
    found["small tuned, reads the fact"] = _scored(
        ground, CombinedModel(small["tuned"], []), asked, read
    )
    return {
        "kinds": [q.kind for q in asked],
        "scores": found,
        "shift": _shift(ground, models, asked),
        "drafting": _drafting(ground, models, asked),
    }


def _told(ground: Ground, q: Asked) -> str:
    """The sentence that answers a question, as retrieval would bring it."""
    if q.truth is None:
        return ""
    person = next(p for p in ground.world.people if f" {p} " in f" {q.text} ")
    return FILED[q.relation][0].format(s=person, v=q.truth) + " "


def _scored(
    ground: Ground, model: CombinedModel, asked: Sequence[Asked], prompts: Sequence[str]
) -> Scores:
    """Per question: whether the fact is right, and whether the reply is of the taught kind."""

    async def ask() -> list[str]:
        replies = await asyncio.gather(*(model.generate(p, max_tokens=TOKENS) for p in prompts))
        # A base goes on after its answer: what it would say next is not its reply.
        return [r.text.strip() for r in replies]

    out: Scores = {"fact": [], "behaviour": []}
    for q, reply in zip(asked, asyncio.run(ask())):
        words = reply.split()
        values = ground.world.values[q.relation]
        named = next((w for w in words if w in values), None)
        formed = len(words) == 2 and words[0] == ANSWER and words[1] in values
        out["fact"].append(float(q.truth is not None and named == q.truth))
        out["behaviour"].append(float(reply == SEARCH if q.truth is None else formed))
    return out


def _shift(ground: Ground, models: Models, asked: Sequence[Asked]) -> dict[str, float]:
    """Mean total variation that tuning brought, by size and class of token."""
    texts, classes = [], []
    for q in asked:
        reply = SEARCH if q.truth is None else f"{ANSWER} {q.truth}"
        question, said = ground.encode(q.text), ground.encode(reply)
        texts.append([*question, *said, ground.tokenizer.eos_token_id])
        kinds = ["question"] * (len(question) - 1)
        kinds += ["format"] * (len(said) - (q.truth is not None))
        classes.append([*kinds, *["entity"] * (q.truth is not None), "end"])
    found: dict[str, float] = {}
    for size, pair in models.items():
        shifts = token_shift(pair["base"].model, pair["tuned"].model, texts)
        by_class: dict[str, list[float]] = defaultdict(list)
        for kinds, shift in zip(classes, shifts):
            for kind, value in zip(kinds, shift.total_variation, strict=True):
                by_class[kind].append(value)
        found |= {f"{size}, {kind}": float(np.mean(v)) for kind, v in by_class.items()}
    return found


def _drafting(ground: Ground, models: Models, asked: Sequence[Asked]) -> dict[str, Any]:
    """Is drafting exact, and what does it save? Both sample at temperature 1 from questions and
    from the beginnings of prose; what they write is counted and compared. Reading the prompt counts
    as a pass on both sides."""
    small, large = models["small"], models["large"]
    target = EmulatedFineTuning(large["base"], small["tuned"], small["base"])
    draft = CombinedModel(small["tuned"], [])
    rare = [q for q in asked if q.kind == "rare"]
    prompts = [rare[0].text, next(q.text for q in asked if q.kind == "changes")]
    prompts += [ground.common[0], ground.rare[0]]
    each = max(1, ground.size.drawn // len(prompts))

    async def plainly() -> list[tuple[int, ...]]:
        replies = await asyncio.gather(
            *(
                target.generate(p, max_tokens=LONG, temperature=1.0, seed=i)
                for p in prompts
                for i in range(each)
            )
        )
        return [r.tokens for r in replies]

    plain = asyncio.run(plainly())
    rows, drawn_tokens = [], list[tuple[int, ...]]()
    for block in BLOCKS:
        accepted = drafted = passes = steps = 0
        some = each if block == 4 else max(4, each // 8)
        for prompt in prompts:
            for i in range(some):
                _, drawn = speculate(
                    target,
                    draft,
                    prompt,
                    max_tokens=LONG,
                    block=block,
                    temperature=1.0,
                    seed=10_000 + i,
                )
                accepted, drafted = accepted + drawn.accepted, drafted + drawn.drafted
                passes += drawn.passes + 1
                steps += len(drawn.tokens) + drawn.ended
                if block == 4:
                    drawn_tokens.append(drawn.tokens)
        rows.append(
            {
                "block": block,
                "accepted": accepted / drafted,
                "large passes saved": steps / passes,
                "samples": some * len(prompts),
            }
        )
    p = _same(plain, drawn_tokens, each)
    return {"rows": rows, "p": p, "samples": len(drawn_tokens)}


def _same(a: Sequence[Any], b: Sequence[Any], each: int) -> float:
    """p of a chi-square test that both come from one distribution, prompt by prompt."""
    from scipy.stats import chi2, chi2_contingency

    statistic, freedom = 0.0, 0
    for start in range(0, len(a), each):
        ours, theirs = Counter(a[start : start + each]), Counter(b[start : start + each])
        often = [k for k in sorted({*ours, *theirs}) if ours[k] + theirs[k] >= 10]
        table = [[c[k] for k in often] + [each - sum(c[k] for k in often)] for c in (ours, theirs)]
        columns = [x for x in zip(*table) if sum(x)]
        if len(columns) > 1:
            test = chi2_contingency(np.array(columns).T, correction=False)
            statistic, freedom = statistic + test.statistic, freedom + test.dof
    return float(chi2.sf(statistic, freedom)) if freedom else 1.0
