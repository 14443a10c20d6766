"""Entity tracking (paper 63): does tuning make a new circuit, or a better one of the same kind?

No model that runs here tells what lies in a box as shipped, so the base is made: a transformer
written by hand that does it in the paper's four steps, with so much noise on all weights that it is
right about half the time. From it are tuned one model on boxes with other words, one on sums of two
digits (another task altogether), and one on boxes with shuffled answers, which must not help. Then:
the base's circuit in every model, beside random circuits; what each group carries before and after;
which groups of the tuned models lift the base. A seed is a base and its three tunings, kept in one
file. Scale ``full`` has more boxes, heads and scenes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress
from scrubjay.probing.box_prompts import accuracy, box_prompts
from scrubjay.probing.circuits import Circuit, accuracy_with, mean_heads, random_circuit
from scrubjay.probing.crossing import cross_model_patch
from scrubjay.probing.entity_circuit import PLACES, find_circuit
from scrubjay.probing.entity_tracking import carries
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.open import OpenModel
from scrubjay.studies.entity_tracking_judge import CLAIMS, judge
from scrubjay.studies.entity_tracking_stage import Stage, halfway, tuned
from scrubjay.studies.kept import kept
from scrubjay.studies.parallel import one_thread
from scrubjay.studies.study import Scale, study

NOTES = (
    "The base is a planted circuit under noise, not a pretrained language model: what is tested is "
    "whether the paper's instruments tell what tuning did, and what it did here.",
    "Accuracy is of the last token's likeliest word. Crossing is given where the tuned model is at "
    "least 5 points above the base.",
    "The structure reader notes a place that is the same in all scenes, so putting its mean there "
    "changes nothing: faithfulness says nothing about group D when the model's positions are "
    "absolute.",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is made and measured."""

    stage: Stage = field(default_factory=Stage)
    seeds: int = 4
    scenes: int = 40
    means: int = 100
    test: int = 100
    pairs: int = 80
    controls: int = 3


SIZES = {
    "smoke": Size(Stage(boxes=3, steps=8), 1, 12, 40, 40, 16, 1),
    "laptop": Size(),
    "full": Size(Stage(boxes=7, heads=8, steps=400, batch=32), 10, 300, 500, 500, 2000, 20),
}


@study("entity-tracking", claims=CLAIMS)
def run(scale: Scale, *, out: Path, seed: int, progress: Progress) -> Finding:
    """Make, tune and measure a base for every seed, and judge."""
    size = SIZES[scale]
    runs = []
    with one_thread():
        for number in range(size.seeds):
            work = partial(measure, size, seed + number)
            runs.append(kept(out / f"seed-{seed + number}.json", work))
            progress("seeds", number + 1, size.seeds)
    return replace(judge(runs), settings={"size": asdict(size)}, notes=NOTES)


def measure(size: Size, seed: int) -> dict[str, Any]:
    """One base and its tuned models."""
    stage = size.stage
    task = stage.task(seed)
    planted, noise = halfway(stage, seed)
    base = planted.open
    models = {"base": base} | {
        kind: OpenModel(tuned(stage, base, kind, seed), base.tokenizer)
        for kind in ("boxes", "sums", "shuffled")
    }
    prompts = box_prompts(base.tokenizer, task.scenes(size.test, "test"))
    scenes = box_prompts(base.tokenizer, task.scenes(size.means, "means"))
    try:
        circuit, _ = find_circuit(base, task, count=size.scenes, seed=seed)
    except ProbeError as error:  # noise may have hidden a step; that counts against the claims
        return {"seed": seed, "noise": noise, "failed": str(error)}
    controls = [random_circuit(base.model, circuit, seed=i) for i in range(size.controls)]
    rows: dict[str, Any] = {}
    for name, model in models.items():
        means = mean_heads(model.model, scenes.ids)

        def alone(some: Circuit, model: OpenModel = model, means: Any = means) -> float:
            return accuracy_with(model.model, prompts, means, some)

        rows[name] = {
            "accuracy": accuracy(model.model, prompts),
            "circuit": alone(circuit),
            "random": [alone(c) for c in controls],
            "crossed": {
                **{
                    group: cross_model_patch(
                        base.model, model.model, prompts, Circuit({group: heads}, PLACES)
                    )
                    for group, heads in circuit.groups.items()
                    if heads
                },
                "all": cross_model_patch(base.model, model.model, prompts, circuit),
            },
        }
        if name in ("base", "boxes"):
            rows[name]["carries"] = carries(model, task, circuit, size.pairs)
            rows[name]["groups"] = _found(model, task, size, seed, circuit)
    return {
        "seed": seed,
        "noise": noise,
        "chance": 1 / stage.boxes,
        "planted": {g: [list(h) for h in heads] for g, heads in planted.groups.items()},
        "circuit": {g: [list(h) for h in heads] for g, heads in circuit.groups.items()},
        "models": rows,
    }


def _found(
    model: OpenModel, task: Any, size: Size, seed: int, circuit: Circuit
) -> dict[str, float]:
    """How much of the base's circuit is found again in this model: Jaccard's index."""
    try:
        again, _ = find_circuit(model, task, count=size.scenes, seed=seed)
    except ProbeError:
        return {"overlap": 0.0}
    return {"overlap": circuit.overlap(again)}
