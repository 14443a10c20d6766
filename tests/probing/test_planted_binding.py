"""Readers written by hand: the interchange and the fitted mixture name the mechanism put in."""

from __future__ import annotations

import pytest
import torch

from scrubjay.probing.carrying import EFFECTS, chosen_layer, effects, interchange_pairs
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.mixing import MixingMechanisms, fitted
from scrubjay.probing.open import OpenModel
from scrubjay.probing.planted_binding import FETCHER, LAYERS, binding_model
from scrubjay.probing.shuffling import permute_qk
from scrubjay.worlds.binding import SCHEMAS, CounterfactualPair, pairs

N = 5
WEIGHTS = {"position": "w_pos", "lexical": "mean w_lex", "reflexive": "mean w_ref"}
SPLIT = pairs(SCHEMAS["objects"], N, 2, 80)


def logits(opened: OpenModel, texts: list[str]) -> torch.Tensor:
    ids = torch.tensor([opened.tokenizer(text)["input_ids"] for text in texts])
    with torch.no_grad():
        return opened.model(ids).logits[:, -1]


def factor(opened: OpenModel, weights: dict[str, float]) -> float:
    """Unpatched, all mechanisms mean the same group: its logit is the sum of the weights."""
    best = logits(opened, [p.original for p in SPLIT[:20]]).max(-1).values
    return float(best.mean()) / sum(weights.values())


def shuffled(x: torch.Tensor, seed: int) -> torch.Tensor:
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))]


@pytest.mark.parametrize("name", WEIGHTS)
def test_each_planted_mechanism_is_named_by_patching_and_by_the_fit(name: str) -> None:
    planted = {name: 5.0}
    opened = binding_model(SCHEMAS["objects"], N, 2, planted, heads=3, seed=len(name))
    control = pairs(SCHEMAS["objects"], N, 2, 20, kind="new target")
    layers = tuple(range(LAYERS))
    seen = interchange_pairs(opened, control, layers)
    assert chosen_layer(control, seen) == FETCHER
    assert seen.copied.double().mean(1).tolist() == [0, 0, 0, 0, 1]  # at the end it has arrived
    found = interchange_pairs(opened, SPLIT, layers)
    assert (found.before.argmax(-1) == torch.tensor([p.query for p in SPLIT])).all()
    for layer in range(FETCHER):
        assert effects(SPLIT, found.after[layer])[0]["none"] == 1
    after = found.after[FETCHER]
    assert effects(SPLIT, after)[0] == {effect: float(effect == name) for effect in EFFECTS}

    numbers, (row, _) = fitted(SPLIT, after, variants=["M", "uniform"])
    assert numbers["JSS, M"].value > 0.99
    assert numbers["JSS, uniform"].value < 0.6
    size = 5 * factor(opened, planted)
    for other, key in WEIGHTS.items():
        assert row[key] / size == pytest.approx(float(other == name), abs=0.1)

    nothing = shuffled(after, 1)
    chance = effects(SPLIT, nothing)[0]
    assert max(chance.values()) < 0.4  # a fifth each, of 80 pairs: more than four deviations
    numbers, (row, _) = fitted(SPLIT, nothing, variants=["M", "uniform"])
    assert numbers["JSS, M"].value < numbers["JSS, uniform"].value + 0.05
    assert all(abs(row[key]) / size < 0.2 for key in WEIGHTS.values())


def test_a_planted_mixture_comes_back_with_its_weights() -> None:
    planted = {"position": 3.0, "lexical": 2.0, "reflexive": 1.0}
    opened = binding_model(SCHEMAS["boxes"], N, 1, planted, seed=2)
    some = pairs(SCHEMAS["boxes"], N, 1, 120)
    after = interchange_pairs(opened, some, (FETCHER,)).after[0]
    _, (row,) = fitted(some, after, variants=["M"])
    best = logits(opened, [p.original for p in some[:20]]).max(-1).values
    size = float(best.mean()) / sum(planted.values())
    assert [row[key] / size for key in WEIGHTS.values()] == pytest.approx([3, 2, 1], abs=0.1)
    assert row["mean σ"] < 0.5  # one group, no spread


@pytest.mark.parametrize(
    ("schema", "target"), [("objects", 1), ("music", 2), ("transport", 1), ("liquids", 2)]
)
def test_readers_are_planted_for_all_schemas(schema: str, target: int) -> None:
    some = pairs(SCHEMAS[schema], 4, target, 12)
    for name in WEIGHTS:
        opened = binding_model(SCHEMAS[schema], 4, target, {name: 4.0})
        found = interchange_pairs(opened, some, (FETCHER,))
        assert effects(some, found.after[0])[0][name] == 1


def test_the_instrument_reads_the_planted_model_and_refuses_it_with_shuffled_attention() -> None:
    opened = binding_model(SCHEMAS["boxes"], N, 1, {"lexical": 5.0})
    instrument = MixingMechanisms("boxes", N, 1, count=90, control=8)
    found = instrument.measure(opened)
    assert found.numbers["layer"].value == FETCHER
    assert found.numbers["effect, lexical"].value == 1
    needs = [found.numbers[f"JSS, M without {term}"].value for term in "PLR"]
    assert min(needs) == needs[1] < 0.7 < 0.95 < min(needs[0], needs[2])
    assert found.numbers["JSS, M, shuffled pairs"].value < 0.7
    with (
        permute_qk(opened.model, per_head=False, seed=1),
        pytest.raises(ProbeError, match="unpatched texts"),
    ):
        instrument.measure(opened)


def test_bad_input_is_one_sentence() -> None:
    schema = SCHEMAS["objects"]
    for wrong, told in (
        ((schema, N, 0, {"lexical": 1.0}), "from 1 to 2"),
        ((schema, 99, 2, {"lexical": 1.0}), "no words for 99"),
        ((schema, N, 2, {"word": 1.0}), "mechanisms are"),
        ((schema, N, 2, {}), "none"),
    ):
        with pytest.raises(ProbeError, match=told):
            binding_model(*wrong)
    with pytest.raises(ProbeError, match="as many heads"):
        binding_model(schema, N, 2, dict.fromkeys(WEIGHTS, 1.0), heads=2)


def test_texts_of_a_schema_are_equally_long() -> None:
    """The planted model knows places by number, so a clause must not grow with its words."""
    opened = binding_model(SCHEMAS["objects"], N, 2, {"lexical": 1.0})

    def length(pair: CounterfactualPair) -> set[int]:
        return {len(opened.tokenizer(t)["input_ids"]) for t in (pair.original, pair.counterfactual)}

    assert set().union(*map(length, SPLIT)) == {opened.model.config.n_positions}
