"""Concept depth: curves by hand, probes against scikit-learn, concepts planted at a known layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from scrubjay.core.errors import ModelError
from scrubjay.core.finding import Finding
from scrubjay.core.randomness import stream
from scrubjay.models.quantise import absmax_rows, quantise
from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.probing.concept_depth import ConceptDepth
from scrubjay.probing.curves import converging, depth_at, jump
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.instruments import INSTRUMENTS, get_instrument, list_instruments
from scrubjay.probing.linear import LinearProbe
from scrubjay.probing.open import OpenModel
from scrubjay.probing.states import last_token_states
from scrubjay.probing.yes_no import says_yes
from scrubjay.worlds.concepts import CONCEPTS, ConceptSet

WORDS = "red blue green pink cold warm wet dry one two yes no is it so ? Answer : .".split()  # noqa: SIM905
TOKENIZER = train_tokenizer([" ".join(WORDS), " ".join(reversed(WORDS))] * 5, 400)
LAYERS, WIDTH = 4, 32
RNG = np.random.default_rng(0)
HAND = [0.5, 0.5, 0.6, 0.8, 0.81, 0.81, 0.81]


def test_measures_of_a_curve_by_hand() -> None:
    assert jump(HAND) == 2 / 6
    assert jump(HAND, error=0.06) == 3 / 6
    assert converging(HAND) == 4 / 6
    assert depth_at(HAND) == 3 / 6
    assert depth_at(HAND, 1.0) == 4 / 6
    flat = [0.5] * 5
    assert (jump(flat), converging(flat), depth_at(flat)) == (None, 0.0, None)
    assert converging([0.5, 0.6, 0.9]) == 1.0
    for bad in ([0.5], [0.5, np.nan], [0.5, 1.5]):
        with pytest.raises(ProbeError, match="accuracy in"):
            jump(bad)
    with pytest.raises(ProbeError, match="share"):
        depth_at(HAND, 0)


def test_logistic_probes_are_those_of_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    for n, width in ((80, 6), (30, 50)):
        x, noise = RNG.normal(size=(n, width)), RNG.normal(size=n)
        z = x[:, 0] - 0.5 * x[:, 1] + 0.5 * noise > 0.2
        for c in (0.01, 1.0):
            ours = LinearProbe(c=c, standardise=False).fit(x, z)
            theirs = linear_model.LogisticRegression(C=c, tol=1e-8, max_iter=2000).fit(x, z)
            assert ours.decide(x) == pytest.approx(theirs.decision_function(x), abs=2e-3)
            unit = theirs.coef_[0] / np.linalg.norm(theirs.coef_[0])
            assert ours.direction @ unit == pytest.approx(1, abs=1e-4)


def test_mass_mean_by_hand_and_scale_invariance() -> None:
    x = np.array([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]])
    z = [False, False, True, True]
    probe = LinearProbe("mass-mean", standardise=False).fit(x, z)
    assert probe.direction.tolist() == [1, 0]
    assert probe.decide(np.array([[2.0, 9.0]])) == pytest.approx([0])
    assert probe.score(x, z) == {"accuracy": 1.0, "f1": 1.0, "auc": 1.0}
    scaled = x * [1e4, 1e-3] + 7
    assert LinearProbe().fit(scaled, z).predict(scaled).tolist() == z
    with pytest.raises(ProbeError, match="same label"):
        LinearProbe().fit(x, [True] * 4)
    with pytest.raises(ProbeError, match="not finite"):
        LinearProbe().fit(x * np.nan, z)
    with pytest.raises(ProbeError, match="fitted first"):
        LinearProbe().predict(x)
    with pytest.raises(ProbeError, match="positive C"):
        LinearProbe(c=0)


def colours(n: int, seed: int = 0) -> ConceptSet:
    """Is the colour warm? Groups are the other words, so that no probe can learn them."""
    random = stream(seed, "colours")
    texts, labels, groups = [], [], []
    for i in range(n):
        label = i % 2 == 0
        colour = random.choice(["red", "pink"] if label else ["blue", "green"])
        filler = [random.choice(WORDS[4:10]) for _ in range(4)]
        texts.append(" ".join([*filler[:2], colour, *filler[2:]]))
        labels.append(label)
        groups.append(str(i))
    return ConceptSet("warm", tuple(texts), tuple(labels), tuple(groups), "is it so ?", 0)


def planted(layer: int, seed: int = 1):
    """A model in which the last token looks at colours in one layer only: attention of all other
    layers adds nothing, and the tokens of a prompt's end carry no colour of their own."""
    model = build_tiny(TinySpec(len(TOKENIZER), WIDTH, LAYERS, 4, 64, context=64, seed=seed)).eval()
    with torch.no_grad():
        for i, block in enumerate(model.model.layers):
            if i != layer:
                block.self_attn.o_proj.weight.zero_()
            else:
                block.self_attn.q_proj.weight.zero_()  # attends to everything alike
                block.self_attn.v_proj.weight.copy_(torch.eye(WIDTH))
                block.self_attn.o_proj.weight.copy_(4 * torch.eye(WIDTH))
    return OpenModel(model, TOKENIZER)


@pytest.mark.parametrize("layer", [0, 2, 3])
def test_a_planted_concept_is_readable_from_its_layer_on(layer: int) -> None:
    look = ConceptDepth(splits=2, fresh=False)
    found = look.measure(planted(layer), colours(120))
    curve = [p["accuracy"] for p in found.tables["Curves"]]
    assert max(curve[: layer + 1]) < 0.65
    assert min(curve[layer + 1 :]) > 0.85
    (row,) = found.tables["Depths"]
    assert row["jump"] == row["depth95"] == (layer + 1) / LAYERS
    depth = found.numbers["warm, depth95, as it is"]
    assert depth.low == pytest.approx(depth.value)
    assert found.numbers["warm, bag of embeddings"].value > 0.9  # a word says it
    for control in ("best", "mean"):
        random = found.numbers[f"warm, random labels, {control} layer"]
        assert random.low < 0.55 < 0.7 > random.value
    assert Finding.from_dict(found.to_dict()).numbers == dict(found.numbers)


def test_before_the_mlp_the_concept_is_already_there() -> None:
    look = ConceptDepth(splits=1, fresh=False, site="mlp_in")
    curve = [p["accuracy"] for p in look.measure(planted(1), colours(80)).tables["Curves"]]
    assert max(curve[:2]) < 0.7
    assert min(curve[2:]) > 0.85


def test_conditions_and_controls() -> None:
    look = ConceptDepth(splits=1, bits=(16, 2), noise=True, every=2)
    model = planted(1)
    before = {k: v.clone() for k, v in model.model.state_dict().items()}
    found = look.measure(model, colours(80))
    rows = {r["condition"]: r for r in found.tables["Depths"]}
    assert set(rows) == {"as it is", "noise", "16 bits", "2 bits", "fresh weights"}
    assert rows["16 bits"]["peak"] == pytest.approx(rows["as it is"]["peak"], abs=0.05)
    assert all(torch.equal(v, before[k]) for k, v in model.model.state_dict().items())
    assert len(found.tables["Curves"]) == 5 * 3  # depths 0, 2, 4


@pytest.mark.parametrize("site", ["resid_post", "mlp_in"])
def test_states_do_not_depend_on_company(site: str) -> None:
    model = build_tiny(TinySpec(len(TOKENIZER), WIDTH, LAYERS, 4, 64, seed=2)).eval()
    prompts = [RNG.integers(5, 20, size=n).tolist() for n in (3, 9, 1, 6)]
    together = last_token_states(model, prompts, site=site)
    for i, prompt in enumerate(prompts):
        alone = last_token_states(model, [prompt], site=site)
        assert together.at[i] == pytest.approx(alone.at[0], abs=1e-4)
        hidden = model(torch.tensor([prompt]), output_hidden_states=True).hidden_states
        assert together.at[i, 0] == pytest.approx(hidden[0][0, -1].detach().numpy(), abs=1e-5)
        if site == "resid_post":
            expected = hidden[2][0, -1].detach().numpy()
            assert together.at[i, 2] == pytest.approx(expected, abs=1e-4)
    logits = torch.stack([model(torch.tensor([p])).logits[0, -1] for p in prompts])
    yes, no = (TOKENIZER(w)["input_ids"][0] for w in ("yes", "no"))
    said = says_yes(OpenModel(model, TOKENIZER), together.final)
    assert said.tolist() == (logits[:, yes] > logits[:, no]).tolist()


def test_what_cannot_be_measured_is_said() -> None:
    model, look = planted(1), ConceptDepth(splits=1, fresh=False)
    few = colours(30)
    with pytest.raises(ProbeError, match="15 true and 15 false"):
        look.measure(model, few)
    with pytest.raises(ProbeError, match="5 groups"):
        look.measure(model, replace(colours(60), groups=("one",) * 60))
    with pytest.raises(ProbeError, match="no concept 'odd'"):
        ConceptDepth(concepts=("odd",)).measure(model)
    with pytest.raises(ProbeError, match="one split"):
        ConceptDepth(splits=0).measure(model)
    with pytest.raises(ProbeError, match="'resid_post' or 'mlp_in'"):
        ConceptDepth(site="attn").measure(model, colours(60))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="text 0 of 'warm' is empty"):
        replace(few, texts=("",) * 30)
    long = replace(few, texts=("red " * 80,) * 30)
    with pytest.raises(ProbeError, match="64"):
        look.measure(model, replace(long, texts=long.texts * 2, labels=few.labels * 2,
                                    groups=tuple(map(str, range(60)))))  # fmt: skip
    with torch.no_grad():
        model.model.model.layers[2].mlp.down_proj.weight[0, 0] = torch.nan
    with pytest.raises(ProbeError, match=r"L2\.resid_post"):
        look.measure(model, colours(60))


def test_coarse_weights_by_hand() -> None:
    weight = torch.tensor([[1.0, -0.4, 0.2], [0.0, 0.0, 0.0]])
    assert absmax_rows(weight, 2).tolist() == [[1, 0, 0], [0, 0, 0]]
    assert torch.allclose(absmax_rows(weight, 16), weight, atol=1e-4)
    model = build_tiny(TinySpec(len(TOKENIZER), WIDTH, 2, 2, 64, seed=5)).eval()
    ids = torch.tensor([[5, 6, 7]])
    plain = model(ids).logits
    assert torch.allclose(quantise(model, 16)(ids).logits, plain, atol=1e-3)
    coarse = quantise(model, 2)
    assert not torch.allclose(coarse(ids).logits, plain, atol=1e-2)
    assert torch.equal(coarse.get_input_embeddings().weight, model.get_input_embeddings().weight)
    levels = coarse.model.layers[0].mlp.up_proj.weight
    assert all(len(row.unique()) <= 3 for row in levels)
    with pytest.raises(ModelError, match="2 to 16"):
        quantise(model, 1)
    with pytest.raises(ModelError, match="finite"):
        absmax_rows(torch.full((2, 2), torch.nan), 4)


def test_generated_concepts_hold_what_they_promise() -> None:
    for name, make in CONCEPTS.items():
        made = make(160, 3)
        assert made == make(160, 3)
        share = sum(made.labels) / len(made.labels)
        assert 0.45 < share < 0.55
        assert len(made.prompts) == len(made.labels) > 120
        noisy = made.noisy(1)
        assert noisy.labels == made.labels
        assert noisy == made.noisy(1)
        for plain, told in zip(made.texts, noisy.texts):
            assert told in (f"aaa {plain}", f"bbb {plain}")
        assert made.name == name
    for name in ("fact", "two-hop"):
        made = CONCEPTS[name](160, 3)
        halves = {True: [], False: []}
        for text, label in zip(made.texts, made.labels):
            halves[label].append(text.split(" lies in ")[1])
        # the place alone says nothing: both classes name the same ones as often
        assert sorted(halves[True]) == sorted(halves[False])


def test_parity_is_the_number_of_flips() -> None:
    made = CONCEPTS["parity"](120, 5)
    for text, label in zip(made.texts, made.labels):
        assert (text.count("turns it over") % 2 == 0) == label


def test_instruments_have_names() -> None:
    rows = list_instruments()
    assert {r["name"] for r in rows} >= {"concept-depth", "verbatim-memory"}
    assert all(r["about"] for r in rows)
    assert get_instrument("concept-depth") is ConceptDepth
    assert "verbatim-memory" in INSTRUMENTS
