"""Tracing, truth, refusal and entropy neurons where the truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.probing.directions import Direction, mass_mean, nie, random_direction
from scrubjay.probing.entropy_neurons import (
    EntropyNeurons,
    ablation_effect,
    entropy_candidates,
    overlap,
)
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.open import OpenModel
from scrubjay.probing.planted import induction_model
from scrubjay.probing.recording import record
from scrubjay.probing.refusal import (
    REFUSES,
    RefusalDirection,
    Requests,
    refusal_direction,
    refusal_scores,
    refuses,
    requests,
)
from scrubjay.probing.tracing import FactPairs, FactTracing, bin_normalise, correlation, trace
from scrubjay.probing.truth import Statements, TruthDirection, flip
from scrubjay.worlds.concepts import ConceptSet

RANDOM = np.random.default_rng(0)


def pairs() -> FactPairs:
    """… A B … A: what followed A is what the induction head says; B stands at position 2."""
    true = [[0, 5, 2 + i, 9, 10, 5] for i in range(3)]
    false = [[0, 5, 12 + i, 9, 10, 5] for i in range(3)]
    return FactPairs(true, false, [2, 3, 4], [12, 13, 14], (2, 3))


def test_the_fact_is_found_where_it_was_planted() -> None:
    model = induction_model(20, 24, seed=1).model
    found = trace(model, pairs())
    expected = np.zeros((2, 6))
    expected[0, 2] = expected[1, 5] = 1
    assert found.share == pytest.approx(expected, abs=1e-3)
    assert found.knows == 1
    other = induction_model(20, 24, seed=5).model  # other heads, the same stream
    assert trace(model, pairs(), source=other).share == pytest.approx(expected, abs=1e-2)
    with pytest.raises(ProbeError, match="nothing to trace"):
        trace(induction_model(20, 24, seed=1, working=False).model, pairs())
    with pytest.raises(ProbeError, match="its own tuning"):
        trace(model, pairs(), source=build_tiny(TinySpec(20, 16, 2, heads=2)))
    told = FactTracing().measure(OpenModel(model, None), pairs())
    assert told.numbers["share at the subject's last token, first half of layers"].value > 0.99
    assert told.numbers["share at the subject's last token, second half"].value < 0.01


def test_pairs_are_checked() -> None:
    with pytest.raises(ProbeError, match="can't be aligned"):
        FactPairs([[1, 2]], [[1, 2, 3]], [1], [2], (0, 1))
    with pytest.raises(ProbeError, match="same object"):
        FactPairs([[1, 2]], [[1, 3]], [1], [1], (0, 1))
    with pytest.raises(ProbeError, match="outside"):
        FactPairs([[1, 2]], [[1, 3]], [1], [2], (1, 5))
    with pytest.raises(ProbeError, match="needs pairs"):
        FactPairs([], [], [], [], (0, 1))


def test_bins_correlation_and_effect_by_hand() -> None:
    values = np.array([0.0, 0.24, 0.26, 0.5, 0.74, 1.0])
    assert bin_normalise(values, 4).tolist() == [0, 0, 0, 0.5, 0.5, 1]
    assert correlation(values, 3 * values + 1) == pytest.approx(1)
    assert correlation(values, np.ones(6)) == 0
    value, dropped = nie(np.array([0.5, 0.0, -0.99]), np.array([-0.25, -1.0, 0.0]), -1)
    assert (value, dropped) == (pytest.approx(1.75 / 2.5), 1)
    with pytest.raises(ProbeError, match="already reached"):
        nie(np.array([1.0]), np.array([0.0]), 1)
    with pytest.raises(ProbeError, match="differ"):
        bin_normalise(np.ones(3))


def test_mean_difference_finds_a_planted_direction() -> None:
    d = np.zeros(12)
    d[4] = 3.0
    labels = np.arange(200) % 2 == 0
    x = RANDOM.normal(size=(200, 12)) + np.where(labels, 0.5, -0.5)[:, None] * d
    shifted = x + np.where(np.arange(200) < 100, 20.0, -20.0)[:, None] * np.eye(12)[7]
    sets = ["a"] * 100 + ["b"] * 100
    found = mass_mean(shifted, labels, 1, groups=sets)
    assert found.cosine(Direction(torch.tensor(d).float(), 1)) > 0.95
    assert found.accuracy(x, labels) > 0.9
    assert abs(random_direction(found).cosine(found)) < 0.7
    with pytest.raises(ProbeError, match="both classes"):
        mass_mean(x, [True] * 200, 1)
    with pytest.raises(ProbeError, match="with a length"):
        Direction(torch.zeros(3), 0)
    with pytest.raises(ProbeError, match="can't be compared"):
        found.cosine(Direction(torch.ones(3), 0))


def test_added_and_removed() -> None:
    model = build_tiny(TinySpec(30, 16, 3, heads=2, feedforward=32)).eval().requires_grad_(False)
    direction = Direction(torch.randn(16, generator=torch.Generator().manual_seed(0)), 1)
    ids = torch.tensor([[1, 5, 9, 4]])
    before = model(ids).logits
    with direction.removed(model), record(model, "L0.resid_post", "L2.resid_post") as seen:
        model(ids)
    for site in seen:
        assert float((seen[site] @ direction.unit).abs().max()) < 1e-5
    with record(model, "L1.resid_post") as plain:
        model(ids)
    with direction.added(model, 2.0, positions=[2]), record(model, "L1.resid_post") as moved:
        model(ids)
    gap = (moved["L1.resid_post"] - plain["L1.resid_post"])[0]
    assert torch.allclose(gap[2], 2 * direction.vector, atol=1e-5)
    assert float(gap[[0, 1, 3]].abs().max()) == 0
    assert torch.equal(model(ids).logits, before)


def planted_truth(turned: bool = False) -> Statements:
    """Two sets, truth along one axis in both (or along opposite ones), noise elsewhere."""
    labels = np.arange(160) % 2 == 0
    at = RANDOM.normal(size=(160, 3, 8))
    sign = np.where(labels, 2.0, -2.0)
    if turned:
        sign = np.where(np.arange(160) < 80, sign, 0.0)
    at[:, 1, 5] += sign
    names = ("a",) * 80 + ("b",) * 80
    return Statements(at, labels, names, tuple(str(i) for i in range(160)))


def test_truth_of_one_set_tells_the_other_apart() -> None:
    states = planted_truth()
    test = states.held_out("b")
    theta = states.direction(~test)
    assert theta.layer == 1
    assert int(theta.vector.abs().argmax()) == 5
    assert states.hits(theta, test) > 0.9
    apart = planted_truth(turned=True)
    theta = apart.direction(~test)
    assert apart.hits(theta, test) < 0.7
    with pytest.raises(ProbeError, match="3 layers"):
        states.direction(~test, 7)


WORDS = [f"w{i}" for i in range(26)]
TOKENIZER = train_tokenizer([*WORDS * 4, "true false sorry well . ?"] * 4, 200)


def opinionated() -> OpenModel:
    """A model that says "sorry" if the last token's embedding has +1 at coordinate 3, else "well".

    Words w0 to w12 have it, the others −1."""
    model = build_tiny(TinySpec(len(TOKENIZER), 16, 2, heads=2, feedforward=16))
    for block in model.model.layers:
        block.self_attn.o_proj.weight.data.zero_()
        block.mlp.down_proj.weight.data.zero_()
    table = model.get_input_embeddings().weight.data
    table[:] = 0.1 * torch.randn(table.shape, generator=torch.Generator().manual_seed(0))
    for i, word in enumerate(WORDS):
        (token,) = TOKENIZER(word, add_special_tokens=False)["input_ids"]
        table[token, 3] = 1.0 if i < 13 else -1.0
    model.lm_head.weight = torch.nn.Parameter(torch.zeros_like(table))
    for word, value in (("sorry", 9.0), ("well", -9.0)):
        (token,) = TOKENIZER(word, add_special_tokens=False)["input_ids"]
        model.lm_head.weight.data[token, 3] = value
    return OpenModel(model.eval().requires_grad_(False), TOKENIZER)


def test_refusal_is_added_and_taken_out() -> None:
    model = opinionated()
    asked = Requests([f"w1 {w}" for w in WORDS[:13]], [f"w1 {w}" for w in WORDS[13:]], ("sorry",))
    r = refusal_direction(model, asked)
    scores = refusal_scores(model, asked, r, tokens=1)
    assert np.mean(scores["refused"]) == 1
    assert np.mean(scores["others"]) == 0
    assert np.mean(scores["added"]) == 1
    assert np.mean(scores["removed"]) < 0.5
    assert np.mean(refusal_scores(model, asked, random_direction(r), tokens=1)["removed"]) > 0.8
    shuffled = Requests(asked.refused[::2] + asked.others[::2], asked.refused[1::2] + asked.others[1::2], ("sorry",))  # fmt: skip  # noqa: E501
    wrong = refusal_direction(model, shuffled)
    assert np.mean(refusal_scores(model, asked, Direction(wrong.vector, r.layer), tokens=1)["added"]) < 0.5  # fmt: skip  # noqa: E501
    told = RefusalDirection(tokens=1).measure(model, asked)
    assert told.numbers["added, r"].value > told.numbers["added, random"].value
    assert told.figure
    assert not told.notes
    meek = Requests(asked.refused, asked.others, ("never",))
    told = RefusalDirection(tokens=1).measure(model, meek)
    assert told.figure is None  # an empty one would be all there is
    assert "refuses none" in told.notes[0]
    with pytest.raises(ProbeError, match="no 9"):
        refusal_direction(model, asked, 9)
    with pytest.raises(ProbeError, match="two prompts"):
        Requests(["a"], ["b", "c"])


def test_ignorance_is_no_refusal() -> None:
    assert refuses("I’m sorry, but no.")
    assert refuses("  I cannot help.", REFUSES)
    assert not refuses("I don't know that.")
    assert not refuses("Sure. Sorry for the delay.")
    assert len(requests().refused) == len(requests().others)


def test_truth_instrument_on_a_model_that_holds_it() -> None:
    """Statements end in a word that is true or false by its group; a shuffled set has no truth."""
    model = opinionated()
    texts = tuple(f"w{i % 7} {w}" for i, w in enumerate(WORDS[:24]))
    told = [
        ConceptSet(n, texts, tuple(i < 13 for i in range(24)), tuple(map(str, range(24))), "", 1)
        for n in ("one", "two")
    ]
    found = TruthDirection().measure(model, told)
    assert found.numbers["accuracy, two left out"].value > 0.95
    assert found.numbers["cosine, one and two"].value == pytest.approx(1, abs=1e-4)
    theta = Statements.of(model, told).direction(np.arange(48) < 24)
    ids = [TOKENIZER(t, add_special_tokens=False)["input_ids"] for t in texts]
    said = tuple(TOKENIZER(w, add_special_tokens=False)["input_ids"][0] for w in ("sorry", "well"))
    plain, turned = flip(model.model, ids, None, said), flip(model.model, ids, theta, said, c=-1)  # type: ignore[arg-type]
    assert (plain[:13] > 0.9).all()
    assert (turned[:13] < plain[:13]).all()
    with pytest.raises(ProbeError, match="no set 'x'"):
        TruthDirection(sets=("x",)).measure(model)
    with pytest.raises(ProbeError, match="two tokens"):
        flip(model.model, [[1]], None, (1, 2))


def test_a_neuron_that_the_unembedding_does_not_see() -> None:
    model = build_tiny(TinySpec(60, 16, 2, heads=2, feedforward=40)).eval()
    table = torch.randn(60, 16, generator=torch.Generator().manual_seed(0))
    table[:, 6] = 0
    model.lm_head.weight = torch.nn.Parameter(table)
    out = model.model.layers[1].mlp.down_proj.weight.data  # (width, neurons)
    out[:, 11] = 0
    out[6, 11] = 3 * out.norm(dim=0).max()
    model.requires_grad_(False)
    found = entropy_candidates(model, k=3)
    assert found[0].index == 11
    assert found[0].logit_var < found[1].logit_var / 10
    assert overlap(found, found) == 1
    assert overlap(found, [found[0]]) == pytest.approx(1 / 3)
    # Alone of all neurons it moves no two logits apart but by a common factor.
    prompts = [[5, 6, 7], [8, 9]]
    entropy, apart = ablation_effect(model, prompts, [11])[0]
    assert entropy >= 0
    assert apart >= 0
    told = EntropyNeurons(k=3, controls=3).measure(OpenModel(model, TOKENIZER), ["w1 w2", "w3"])
    assert told.tables["Neurons"][0]["neuron"] == 11
    with pytest.raises(ProbeError, match="share in"):
        entropy_candidates(model, top_norm=0)
