"""Known mixtures are recovered, planted readers named, patching equals a plain hook."""

from __future__ import annotations

import copy

import pytest
import torch

from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.probing.carrying import Interchanged, chosen_layer, effects, interchange_pairs
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.mixing import MixingMechanisms, fitted
from scrubjay.probing.mixture import fit_mixture, jss, mixture_of
from scrubjay.probing.open import OpenModel
from scrubjay.worlds.binding import SCHEMAS, pairs

N = 5
PAIRS = pairs(SCHEMAS["objects"], N, 2, 300)
INDEX = torch.tensor([(p.position, p.lexical, p.reflexive) for p in PAIRS])


def answers(**weights: float) -> torch.Tensor:
    return mixture_of(N, **weights)(INDEX).exp().detach()


def test_similarity_is_one_minus_a_divergence_in_bits():
    p = torch.tensor([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
    q = torch.tensor([[0.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    # half of KL([1,0] ‖ [¾,¼]) = log2(4/3), half of KL([½,½] ‖ [¾,¼]) = ½ log2(2/3) + ½ log2 2
    third = 1 - (0.41503750 + 0.20751875) / 2
    assert jss(p, q).tolist() == pytest.approx([0, 1, third], abs=1e-6)


@pytest.mark.parametrize(
    ("weights", "missing"),
    [
        ({"position": 5.0, "spread": 0.4}, "M without P"),
        ({"lexical": 5.0}, "M without L"),
        ({"reflexive": 5.0}, "M without R"),
    ],
)
def test_a_reader_of_one_mechanism_is_recovered_and_nothing_else_fits(weights, missing):
    tried = ["M", "M without L" if missing == "M without P" else "M without P", missing]
    numbers, rows = fitted(PAIRS, answers(**weights), variants=[*tried, "uniform"])
    assert numbers["JSS, M"].value > 0.98
    assert numbers[f"JSS, {tried[1]}"].value > 0.9
    assert numbers[f"JSS, {missing}"].value < 0.8
    assert numbers["JSS, uniform"].value < 0.8
    assert [r["mixture"] for r in rows] == [*tried, "uniform"]


def test_a_known_mixture_is_recovered_with_its_weights():
    truth = {"position": 3.0, "lexical": 2.0, "reflexive": 1.0, "spread": 1.2}
    fit = fit_mixture(INDEX, answers(**truth))
    assert float(fit.similarity.min()) > 0.99
    assert float(fit.model.w_pos.detach()) == pytest.approx(3, abs=0.4)
    assert float(fit.model.w_lex.mean().detach()) == pytest.approx(2, abs=0.3)
    assert float(fit.model.w_ref.mean().detach()) == pytest.approx(1, abs=0.3)
    one = fit_mixture(INDEX, answers(**truth), "P one-hot")
    assert float(one.similarity.mean()) < float(fit.similarity.mean()) - 0.05


@pytest.mark.parametrize(
    ("weights", "name"),
    [({"position": 9.0, "spread": 0.3}, "position"), ({"lexical": 9.0}, "lexical"),
     ({"reflexive": 9.0}, "reflexive")],
)  # fmt: skip
def test_effects_name_the_mechanism(weights, name):
    shares, which = effects(PAIRS, answers(**weights))
    assert shares[name] == 1
    assert len(which) == len(PAIRS)
    stayed = torch.eye(N)[[p.query for p in PAIRS]]
    assert effects(PAIRS, stayed)[0]["none"] == 1
    fifth = torch.eye(N)[[10 - p.query - sum(t) for p, t in zip(PAIRS, INDEX.tolist())]]
    assert effects(PAIRS, fifth)[0]["mixed"] == 1


def test_the_layer_holds_a_pointer_and_not_the_answer():
    control = pairs(SCHEMAS["objects"], N, 2, 10, kind="new target")
    none = torch.eye(N)[[p.query for p in control]]
    moved = torch.eye(N)[[p.position for p in control]]
    copied = torch.tensor([[False] * 10, [False] * 10, [True] * 10])
    found = Interchanged((3, 4, 5), none, torch.stack([none, moved, moved]), copied.float(), copied)
    assert chosen_layer(control, found) == 1


SOME = pairs(SCHEMAS["boxes"], 4, 1, 6)
TOKENIZER = train_tokenizer([p.original for p in pairs(SCHEMAS["boxes"], 6, 1, 200)], 300)


def token(word: str) -> int:
    return TOKENIZER(" " + word, add_special_tokens=False)["input_ids"][0]


@pytest.fixture(scope="module")
def opened() -> OpenModel:
    spec = TinySpec(len(TOKENIZER), 24, 3, heads=3, feedforward=32)
    return OpenModel(build_tiny(spec).eval(), TOKENIZER)


def test_patching_equals_a_plain_hook(opened):
    found = interchange_pairs(opened, SOME, (0, 1, 2))
    for i, pair in enumerate(SOME):
        texts = (pair.original, pair.counterfactual)
        ids = [torch.tensor([TOKENIZER(t)["input_ids"]]) for t in texts]
        tokens = [token(w) for w in pair.candidates]
        for layer in range(3):
            kept = {}
            block = opened.model.model.layers[layer]

            def keep(_, args, kept=kept):
                kept["h"] = args[0][:, -1].clone()

            def put(_, args, kept=kept):
                x = args[0].clone()
                x[:, -1] = kept["h"]
                return (x, *args[1:])

            with torch.no_grad():
                handle = block.register_forward_pre_hook(keep)
                opened.model(ids[1])
                handle.remove()
                handle = block.register_forward_pre_hook(put)
                want = opened.model(ids[0]).logits[0, -1, tokens].softmax(-1)
                handle.remove()
            assert torch.allclose(found.after[layer, i], want, atol=1e-5)


def test_a_stream_that_only_the_last_token_fills_is_copied_whole(opened):
    """With no attention in the last block, patching there is saying what the other text says."""
    model = copy.deepcopy(opened.model)
    with torch.no_grad():
        model.model.layers[2].self_attn.o_proj.weight.zero_()
    own = OpenModel(model, TOKENIZER)
    found = interchange_pairs(own, SOME, (2,))
    for i, pair in enumerate(SOME):
        ids = torch.tensor([TOKENIZER(pair.counterfactual)["input_ids"]])
        with torch.no_grad():
            said = int(model(ids).logits[0, -1].argmax())
        answer = TOKENIZER(" " + pair.answer, add_special_tokens=False)["input_ids"][0]
        assert bool(found.copied[0, i]) == (said == answer)


def test_the_instrument_refuses_a_model_that_does_not_bind(opened):
    settings = MixingMechanisms("boxes", n=4, target=1, count=12, control=4)
    with pytest.raises(ProbeError, match="unpatched texts"):
        settings.measure(opened)
    found = MixingMechanisms("boxes", 4, 1, 40, 6, margin=-1).measure(opened)
    total = sum(
        found.numbers[f"effect, {e}"].value
        for e in ("position", "lexical", "reflexive", "none", "mixed")
    )
    assert total == pytest.approx(1)
    assert {"Mixtures", "Effects by position", "Layers, control pairs"} <= set(found.tables)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: fit_mixture(INDEX, answers(), "Q"), "no variant"),
        (lambda: fit_mixture(INDEX[:, :2], answers()), "triples"),
        (lambda: fit_mixture(INDEX, answers() * 2), "distributions"),
        (lambda: fit_mixture(INDEX + 3, answers()), "from 0 to 4"),
        (lambda: fit_mixture(INDEX[:4], answers()[:4]), "too few"),
        (lambda: mixture_of(1), "two groups"),
        (lambda: effects(PAIRS, answers()[:3]), "distributions"),
    ],
)
def test_bad_input_is_one_sentence(call, told):
    with pytest.raises(ProbeError, match=told):
        call()
