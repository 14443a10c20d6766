"""Importance, relations and concepts: by hand, and where they were planted."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch

from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.probing.attribution import (
    PromptImportance,
    grad_x_input,
    importance,
    importance_density,
    instruction_score,
    span_tokens,
)
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.open import OpenModel
from scrubjay.probing.planted import induction_model
from scrubjay.probing.word_instruments import ConceptVectors, WordRelations
from scrubjay.probing.words import (
    WordTable,
    ffn_concepts,
    head_word_pairs,
    label,
    plausible,
    ppmi,
)
from scrubjay.worlds.instructions import VERBS, Instruction, everyday, invented

WORDS = [f"w{i}" for i in range(24)]
TOKENIZER = train_tokenizer([*WORDS * 5, "a : b ="] * 3, 200)


def model(**changes: int) -> torch.nn.Module:
    return build_tiny(TinySpec(len(TOKENIZER), 16, 2, heads=2, feedforward=24)).eval().requires_grad_(False)  # fmt: skip  # noqa: E501


def test_density_by_hand() -> None:
    """Rows: skipped, used by all, used once, below the threshold, negative."""
    x = np.array([[9, 9, 9, 9], [1, 1, 1, 0], [0.1, 0, 0, 2], [0.7, 0.7, 0.7, 1.4], [-5, -5, 0, 0]])
    found = importance_density(x)
    three = 30 / (3 * 10.0**4) ** 0.25  # three tens over their 4-norm
    assert found.tolist() == pytest.approx([0, 1, 1 / three, 0, 0])
    plain = importance_density(x, below=0)
    assert plain[3] > 0
    assert plain[4] == 0
    assert instruction_score(found, [1, 2]) == pytest.approx((1 + 1 / three) / 2)
    gone = importance_density(np.full((3, 2), 1e-15))
    assert gone.tolist() == [0, 0, 0]
    for bad in (np.zeros((0, 2)), np.array([[np.nan, 1]]), np.ones(3)):
        with pytest.raises(ProbeError, match="finite matrix"):
            importance_density(bad)
    with pytest.raises(ProbeError, match="inside the prompt"):
        instruction_score(found, [])
    with pytest.raises(ProbeError, match="b < L"):
        importance_density(x, below=10)


@pytest.mark.parametrize("target", ["prob", "logprob"])
def test_gradient_equals_finite_differences(target: str) -> None:
    """E · ∂p/∂E is the slope along scaling an embedding."""
    m = model().double()
    prompt, response = [5, 9, 7, 6], [8, 4]
    found = grad_x_input(m, prompt, response, target=target)  # type: ignore[arg-type]
    ids = torch.tensor([[*prompt, *response]])
    table = m.get_input_embeddings()(ids)

    def said(scaled: torch.Tensor) -> np.ndarray:
        log = m(inputs_embeds=scaled).logits[0].float().log_softmax(-1)
        log = log[3:5].gather(1, ids[0, 4:, None])[:, 0]
        return (log.exp() if target == "prob" else log).double().numpy()

    for n in range(4):
        up, down = table.clone(), table.clone()
        up[0, n] *= 1 + 1e-3
        down[0, n] *= 1 - 1e-3
        slope = (said(up) - said(down)) / 2e-3
        assert found[n] == pytest.approx(slope, abs=2e-3, rel=2e-2)


def test_a_copied_token_is_the_important_one() -> None:
    """In the induction model B (position 2) is what is said; other words count for nothing."""
    planted = induction_model(20, 24, seed=2).model
    x = grad_x_input(planted, [0, 5, 7, 9, 10, 5], [7])
    assert int(importance_density(x).argmax()) in (1, 2, 5)
    assert importance_density(x)[[3, 4]].max() == 0
    found = importance(planted, [0, 5, 7, 9, 10, 5], [2], [7])
    assert found.score > 0
    with pytest.raises(ProbeError, match="a response of a token"):
        grad_x_input(planted, [1], [])
    with pytest.raises(ProbeError, match="not 'x'"):
        grad_x_input(planted, [1], [2], target="x")  # type: ignore[arg-type]


def test_spans_by_characters() -> None:
    ids, inside = span_tokens(TOKENIZER, "w1 w2 w3 w4", (3, 8))
    assert len(ids) == 4
    assert inside == [1, 2]
    with pytest.raises(ProbeError, match="no token"):
        span_tokens(TOKENIZER, "w1", (5, 9))


def test_instructions_say_whether_they_were_followed() -> None:
    random = Random(1)
    for _ in range(30):
        one = invented(random)
        assert one.text[slice(*one.span)] == f"please {one.verb} it"
        items = one.text.partition(" : ")[2].removesuffix(" =").split()
        assert one.followed("  ".join(VERBS[one.verb](items)))
        assert not one.followed("")
    assert VERBS["blick"](["a", "b", "c"]) == ["c", "b", "a"]
    assert VERBS["frum"](["a", "b", "c"]) == ["b", "c", "a"]
    for one in everyday(12):
        assert one.text[slice(*one.span)].strip(" .:")
    with pytest.raises(ValueError, match="outside"):
        Instruction("abc", (2, 9))


def test_planted_relation_is_found() -> None:
    """One head's first two coordinates ask for w3 and answer w8; nothing else is strong."""
    m = model()
    table = WordTable.of(m, TOKENIZER, WORDS)
    together = np.zeros((24, 24), dtype=bool)
    together[3, 8] = together[8, 3] = together[3, 9] = True
    a, b = (torch.tensor(table.into[i]).float() for i in (3, 8))
    for proj, vector in (("q_proj", a), ("k_proj", b)):
        weight = getattr(m.model.layers[1].self_attn, proj).weight.data
        weight *= 1e-3
        weight[8:10] = vector  # the second head's first two coordinates
    assert head_word_pairs(m, 1, 1, table, together, top=1) == {("w3", "w8")}
    assert head_word_pairs(m, 1, 1, table, together.T & ~together, top=1) == set()
    assert head_word_pairs(m, 1, 1, table, together, top=1, coordinates=9) == set()
    with pytest.raises(ProbeError, match="what belongs together"):
        head_word_pairs(m, 1, 1, table, together[:3])
    with pytest.raises(ProbeError, match="heads"):
        head_word_pairs(m, 1, 7, table, together)


def test_planted_concept_is_the_first() -> None:
    m = model()
    table = WordTable.of(m, TOKENIZER, WORDS)
    direction = torch.tensor(table.out[5]).float()
    down = m.model.layers[0].mlp.down_proj.weight.data  # (width, neurons)
    down *= 0.01
    down += direction[:, None] * torch.linspace(-2, 2, down.shape[1])
    first = ffn_concepts(m, 0, table, k=3)[0]
    assert first.words[0] == "w5"
    assert first.share > 0.95
    assert ffn_concepts(m, 1, table, k=3)[0].share < 0.5
    with pytest.raises(ProbeError, match="2 layers"):
        ffn_concepts(m, 5, table)


def test_words_that_belong_together() -> None:
    texts = [["w0", "w1", "w9"], ["w0", "w1"], ["w2", "w3"], ["w2", "w3", "w8"]] * 5
    near = plausible(ppmi(texts, WORDS), strict=0.5)
    assert near[0, 1]
    assert near[2, 3]
    assert not near[0, 2]
    assert not near.diagonal().any()
    assert (near == near.T).all()
    kinds = {"a": WORDS[:6], "b": WORDS[6:]}
    assert label(WORDS[:4], kinds) == "a"  # 6·5·4·3 / 24·23·22·21, below 0.05 / 2
    assert label([*WORDS[:2], *WORDS[6:8]], kinds) == "none"
    assert label(WORDS[8:12], kinds) == "none"  # what chance gives in three of ten draws
    with pytest.raises(ProbeError, match="that hold them"):
        label(["x"], kinds)
    with pytest.raises(ProbeError, match="two words"):
        WordTable.of(model(), TOKENIZER, ["w1"])
    with pytest.raises(ProbeError, match="one text"):
        ppmi([], WORDS)


def test_instruments_and_their_controls() -> None:
    """Words of one kind share a dimension, which one head compares and which layers write."""
    m = model()
    kinds = {f"k{j}": WORDS[j::4] for j in range(4)}
    with torch.no_grad():
        for j, members in enumerate(kinds.values()):
            for word in members:
                (token,) = TOKENIZER(word, add_special_tokens=False)["input_ids"]
                row = m.get_input_embeddings().weight[token]
                row *= 0.05
                row[j] += 1
    for name in ("q_proj", "k_proj"):
        weight = getattr(m.model.layers[0].self_attn, name).weight.data
        weight[:8] = torch.eye(16)[[0, 0, 1, 1, 2, 2, 3, 3]]
    opened = OpenModel(m, TOKENIZER)
    found = WordRelations(top=6).measure(opened, kinds)
    first = found.tables["Heads"][0]
    assert first["relations"] == 4 * 6 * 5
    assert first["shuffled"] < 60
    numbers = found.numbers
    assert numbers["relations a head"].value > numbers["relations a head, shuffled"].value
    told = ConceptVectors(k=6, r=8).measure(opened, kinds)
    assert told.numbers["directions with a category"].value > 0.5
    with pytest.raises(ProbeError, match="two categories"):
        ConceptVectors().measure(opened, {"a": WORDS})
    asked = [Instruction("w1 w2 : w3", (0, 5)), Instruction("w4 w5 : w6", (3, 5))]
    scored = PromptImportance(tokens=2).measure(opened, asked)
    assert len(scored.tables["Prompts"]) == 2
    with pytest.raises(ProbeError, match="needs a prompt"):
        PromptImportance().measure(opened, [])
