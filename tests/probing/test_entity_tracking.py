"""Entity tracking: in a transformer written by hand every step is found, and told apart."""

from __future__ import annotations

import pytest
import torch

from scrubjay.core.errors import ScrubjayError
from scrubjay.models.tiny import TinySpec, build_tiny
from scrubjay.probing.box_prompts import accuracy, box_prompts, predictions
from scrubjay.probing.circuits import (
    Circuit,
    accuracy_with,
    completeness,
    faithfulness,
    held,
    mean_heads,
    minimal,
    random_circuit,
    replaced,
)
from scrubjay.probing.crossing import cross_model_patch
from scrubjay.probing.entity_circuit import PLACES, find_circuit
from scrubjay.probing.entity_tracking import EntityTracking, named
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.masks import Moves, fit_mask, moved_accuracy
from scrubjay.probing.open import OpenModel
from scrubjay.probing.planted_boxes import boxes_model, word_tokenizer
from scrubjay.probing.word_tokens import word_tokens
from scrubjay.worlds.boxes import LETTERS, OBJECTS, VARIABLES, Boxes

TASK = Boxes(4, OBJECTS[:16], LETTERS[:10])


@pytest.fixture(scope="module", params=[0, 3])
def planted(request: pytest.FixtureRequest):
    return boxes_model(TASK, heads=4, seed=request.param)


def prompts_of(planted, count: int = 60, *names: object):
    return box_prompts(planted.open.tokenizer, TASK.scenes(count, *names))


def test_scenes_say_where_things_are() -> None:
    for scene in TASK.scenes(12):
        for clause in range(4):
            spans = scene.spans(clause)
            assert scene.prompt[slice(*spans["object"])] == scene.objects[clause]
            assert scene.prompt[slice(*spans["earlier"])] == scene.letters[clause]
        own = scene.spans()
        assert scene.prompt[slice(*own["object"])] == scene.answer
        assert scene.prompt[slice(*own["query"])] == scene.letter
        assert own["last"][1] == len(scene.prompt)
    assert [s.asked for s in TASK.scenes(8)] == [0, 1, 2, 3] * 2
    assert TASK.scenes(5) == TASK.scenes(5) != TASK.scenes(5, "more")


def test_counterfactuals_and_pairs_differ_in_what_they_should_only() -> None:
    scenes = TASK.scenes(20)
    for scene, other in zip(scenes, TASK.counterfactuals(scenes)):
        assert not {*scene.objects, *scene.letters} & {*other.objects, *other.letters}
        assert other.letter not in {*scene.letters, *other.letters}
        with pytest.raises(ScrubjayError, match="no box"):
            _ = other.answer
    for a, b, c in zip(*(TASK.pairs(v, 20) for v in ("position", "value", "label"))):
        assert (a.base, a.source) == (b.base, b.source)
        assert a.source.asked != a.base.asked
        assert a.expected == a.base.objects[a.source.asked]
        assert b.expected == b.source.answer
        assert b.expected not in a.base.objects
        wanted = c.base.letters.index(c.source.letter)
        assert c.expected == c.base.objects[wanted]
        assert wanted not in (c.base.asked, c.source.asked)
        assert c.source.asked != c.base.asked
    with pytest.raises(ScrubjayError, match="no variable"):
        TASK.pairs("colour", 1)  # type: ignore[arg-type]
    for wrong in ({"boxes": 1}, {"letters": ("A", "B")}, {"objects": ("a b",) * 20}):
        with pytest.raises(ScrubjayError):
            Boxes(**{"boxes": 4, **wrong})


def test_the_planted_model_does_the_task_by_its_four_steps(planted) -> None:
    assert accuracy(planted.open.model, prompts_of(planted)) == 1
    circuit, scores = find_circuit(planted.open, TASK, count=16)
    assert {name: list(heads) for name, heads in circuit.groups.items()} == planted.groups
    for name, heads in planted.groups.items():
        rest = scores[name].copy()
        assert rest[heads[0]] < -0.5
        rest[heads[0]] = 0
        assert abs(rest).max() < 0.05


def test_each_step_carries_position_and_the_last_the_value(planted) -> None:
    expected = {"A": "value", "B": "position", "C": "position", "D": "position"}
    for group, variable in expected.items():
        moves = {
            v: Moves.of(planted.open.tokenizer, TASK.pairs(v, 24))
            for v in ("position", "value", "label")
        }
        own = planted.groups[group]
        for v, some in moves.items():
            found = moved_accuracy(planted.open.model, some, PLACES[group], own)
            assert (found > 0.95) == (v == variable), (group, v, found)
            assert found < 0.1 or v == variable


@pytest.mark.parametrize("group", ["A", "C"])
def test_masks_choose_the_head_that_carries_the_variable(group: str) -> None:
    planted = boxes_model(TASK, heads=4, sharpness=6, seed=1)  # soft enough for gradients
    every = [(i, j) for i in range(4) for j in range(4)]
    own, variable = planted.groups[group][0], "value" if group == "A" else "position"
    fitted = fit_mask(planted.open, TASK.pairs(variable, 64), PLACES[group], every, epochs=8)
    assert own in fitted.heads
    assert fitted.test > 0.9
    assert fitted.mask[every.index(own)] < 0.5
    nothing = fit_mask(planted.open, TASK.pairs("label", 64), PLACES[group], [own])
    assert nothing.test < 0.15


def test_the_circuit_alone_does_the_task_and_others_do_not(planted) -> None:
    model = planted.open.model
    prompts, means = (
        prompts_of(planted, 24),
        mean_heads(model, prompts_of(planted, 80, "means").ids),
    )
    circuit = Circuit(planted.groups, PLACES)
    assert faithfulness(model, prompts, means, circuit) == 1
    assert accuracy_with(model, prompts, means, None) == 1
    others = random_circuit(model, circuit, seed=1)
    assert circuit.overlap(others) == 0
    assert accuracy_with(model, prompts, means, others) < 0.3
    for name in "ABC":
        less = circuit.without([(name, planted.groups[name][0])])
        assert accuracy_with(model, prompts, means, less) < 0.6
    # D notes where its clause is, which is the same in all scenes: its mean says it as well. What
    # depends on the place alone can't be seen by replacing with means, only by path patching.
    less = circuit.without([("D", planted.groups["D"][0])])
    assert accuracy_with(model, prompts, means, less) == 1
    halves = completeness(model, prompts, means, circuit, draws=4)
    assert all(abs(a - b) < 0.2 for a, b in halves)
    taken = {h for hs in planted.groups.values() for h in hs}
    idle = [(i, j) for i in range(4) for j in range(4) if (i, j) not in taken]
    padded = {n: [*hs, idle[i]] for i, (n, hs) in enumerate(planted.groups.items())}
    small, scores = minimal(model, prompts, means, Circuit(padded, PLACES))
    assert {n: list(h) for n, h in small.groups.items() if n != "D"} == {
        n: h for n, h in planted.groups.items() if n != "D"
    }
    assert min(scores[n, planted.groups[n][0]] for n in "ABC") > 0.5


def test_replacing_equals_a_plain_hook(planted) -> None:
    model, prompts = planted.open.model, prompts_of(planted, 6)
    means, circuit = mean_heads(model, prompts.ids), Circuit(planted.groups, PLACES)
    with torch.no_grad(), replaced(model, held(model, circuit, prompts), means):
        ours = model(prompts.ids).logits
    keep, handles = held(model, circuit, prompts), []
    for layer, block in enumerate(model.transformer.h):

        def hook(_, args, layer=layer):
            z = args[0].unflatten(-1, (4, -1)).clone()
            for row, place, head in (~keep[layer]).nonzero().tolist():
                z[row, place, head] = means[layer][place, head]
            return (z.flatten(-2),)

        handles.append(block.attn.c_proj.register_forward_pre_hook(hook))
    with torch.no_grad():
        plain = model(prompts.ids).logits
    for handle in handles:
        handle.remove()
    assert torch.allclose(ours, plain, atol=1e-5)


def test_crossing_shows_where_a_broken_model_is_broken() -> None:
    whole, broken = (boxes_model(TASK, heads=4, seed=2) for _ in range(2))
    layer, head = whole.groups["B"][0]
    size = broken.open.model.config.n_embd // 4
    with torch.no_grad():  # the transmitter writes nothing
        broken.open.model.transformer.h[layer].attn.c_attn.weight[
            :, 2 * 4 * size + head * size : 2 * 4 * size + (head + 1) * size
        ] = 0
    prompts = prompts_of(whole)
    assert accuracy(broken.open.model, prompts) < 0.6
    gains = {
        group: cross_model_patch(
            broken.open.model, whole.open.model, prompts, Circuit({group: heads}, PLACES)
        )
        for group, heads in whole.groups.items()
    }
    assert gains["A"] == gains["B"] == 1
    assert max(gains["C"], gains["D"]) == accuracy(broken.open.model, prompts)
    null = cross_model_patch(
        broken.open.model, broken.open.model, prompts, Circuit(whole.groups, PLACES)
    )
    assert null == accuracy(broken.open.model, prompts)
    with pytest.raises(ProbeError, match="crossed"):
        cross_model_patch(
            boxes_model(TASK, heads=5).open.model,
            whole.open.model,
            prompts,
            Circuit(whole.groups, PLACES),
        )


def test_the_instrument_says_it_all_in_a_finding() -> None:
    planted = boxes_model(TASK, heads=3, sharpness=8, seed=4)
    small = EntityTracking(scenes=16, means=40, pairs=32, controls=2)
    found = small.measure(planted.open, TASK)
    assert found.numbers["accuracy"].value == found.numbers["faithfulness"].value == 1
    assert found.numbers["random circuits"].value < 0.4
    rows = {r["group"][0]: r for r in found.tables["Groups"]}
    for group, (head,) in planted.groups.items():
        assert rows[group]["heads"] == f"L{head[0]}H{head[1]}"
        assert named({v: rows[group][v] for v in VARIABLES}, 0.25) == (
            "value" if group == "A" else "position"
        )
    assert named({}, 0.2) == named({"value": 0.3}, 0.2) == "none"
    noisy = boxes_model(TASK, heads=3, noise=0.1, seed=4)
    with pytest.raises(ProbeError, match="the gate is 50%"):
        small.measure(noisy.open, TASK)
    with pytest.raises(ProbeError, match="8 pairs"):
        EntityTracking(pairs=2).measure(planted.open, TASK)


def test_what_cannot_be_done_is_said(planted) -> None:
    fresh = build_tiny(TinySpec(len(planted.open.tokenizer), 32, 2, 4, 64, context=64)).eval()
    with pytest.raises(ProbeError, match=r"has no such circuit|no head is a"):
        find_circuit(OpenModel(fresh, planted.open.tokenizer), TASK, count=8)
    with pytest.raises(ProbeError, match="a head at least"):
        Circuit({"A": []}, PLACES)
    with pytest.raises(ProbeError, match="stands at one of"):
        Circuit({"Z": [(0, 0)]}, PLACES)
    with pytest.raises(ProbeError, match="counted from 0"):
        held(planted.open.model, Circuit({"A": [(9, 0)]}, PLACES), prompts_of(planted, 2))
    with pytest.raises(ProbeError, match="8 pairs"):
        fit_mask(planted.open, TASK.pairs("value", 3), "last", [(0, 0)])
    with pytest.raises(ProbeError, match="no place"):
        fit_mask(planted.open, TASK.pairs("value", 8), "first", [(0, 0)])
    split = word_tokenizer(("the", "is", "in", "Box"))
    with pytest.raises(ProbeError, match="no scenes"):
        box_prompts(split, [])
    means = mean_heads(planted.open.model, prompts_of(planted, 4).ids)
    longer = box_prompts(planted.open.tokenizer, Boxes(3, OBJECTS[:16], LETTERS[:10]).scenes(2))
    with pytest.raises(ProbeError, match="the means are of"):
        accuracy_with(planted.open.model, longer, means, Circuit(planted.groups, PLACES))
    assert list(word_tokens(planted.open.tokenizer, ["apple"])) == ["apple"]
    with pytest.raises(ProbeError, match="more than one token"):
        word_tokens(lambda *_, **__: {"input_ids": [1, 2]}, ["apple"])
    assert predictions(planted.open.model, longer.ids).shape == (2,)
