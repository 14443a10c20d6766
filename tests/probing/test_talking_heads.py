"""Channels planted in several families, edits against explicit algebra, the instrument."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.probing.tiny_families import NAMES, fingerprint, tiny, tokens

from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.channels import Channel, channel_scores, channels, standing, surprise
from scrubjay.probing.composition import components, composition, reading
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.list_recall import recall_lists, search
from scrubjay.probing.open import OpenModel
from scrubjay.probing.planted import induction_model
from scrubjay.probing.recording import record
from scrubjay.probing.subspace import at_points, basis, component_edit, subspace_edit
from scrubjay.probing.talking_heads import TalkingHeads, _writing
from scrubjay.worlds.lists import remaining_items, two_names

WRITER, READER = (0, 3), (2, 1)
EYE = torch.eye(32)[:, :2]


def planted(name: str, side: str):
    """A random model in which one head writes along a direction that another one listens to."""
    model = copy.deepcopy(tiny(name))
    anatomy = Anatomy.of(model)
    w = torch.randn(32, generator=torch.Generator().manual_seed(5))
    w = (w - w.mean()) / (w - w.mean()).norm()
    with torch.no_grad():
        block = anatomy.blocks[WRITER[0]]
        gain = (
            anatomy.gain(block.attention_end) if block.attention_end is not block.attention else 1
        )
        anatomy.w_o(WRITER[0])[WRITER[1], 0] = 20 * w / gain
        head = READER[1] if side == "q" else anatomy.kv_head(READER[1])
        into = getattr(anatomy, f"w_{side}")(READER[0])
        into[head, :, 0] = 20 * w / anatomy.gain(anatomy.blocks[READER[0]].attention_norm)
    return model


@pytest.mark.parametrize("side", ["q", "k", "v"])
@pytest.mark.parametrize("name", ["llama", "gpt2", "gpt_neox", "gemma2", "qwen2", "olmo2"])
def test_a_planted_channel_is_found_where_it_is_and_nowhere_else(name, side):
    model = planted(name, side)
    found = channels(model)
    anatomy = Anatomy.of(model)
    assert found
    for c in found:
        assert (c.writer, c.component, c.side) == (WRITER, 0, side)
        same = c.reader[1] if side == "q" else anatomy.kv_head(c.reader[1])
        assert (c.reader[0], same) == (2, READER[1] if side == "q" else anatomy.kv_head(READER[1]))
    assert READER in [c.reader for c in found]
    assert channels(model, rotate=True) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_random_model_of_any_family_has_no_channels(name):
    assert channels(tiny(name)) == []


def test_the_induction_circuit_is_one_channel_into_keys():
    for working in (True, False):
        made = induction_model(seed=1, working=working)
        found = channels(made.model)
        assert {(c.writer, c.reader, c.side) for c in found} == {
            (made.previous, made.induction, "k")
        }
    assert composition(made.model, made.previous, made.induction, "k") > 2 * composition(
        made.model, made.previous, made.induction, "q"
    )


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2"])
@pytest.mark.parametrize("side", ["q", "k", "v"])
def test_scores_equal_products_of_whole_matrices(name, side):
    a, (l1, h1), (l2, h2) = Anatomy.of(tiny(name)), (0, 1), (2, 3)

    def into(layer, kind, head):
        w = getattr(a, f"w_{kind}")(layer)[head if kind == "q" else a.kv_head(head)].double()
        w = torch.diag(a.gain(a.blocks[layer].attention_norm).double()) @ w
        return w - w.mean(0) if a.norm_type == "layer" else w

    def ov(layer, head):
        w = into(layer, "v", head) @ a.w_o(layer)[head].double()
        end = a.blocks[layer].attention_end
        return w if end is a.blocks[layer].attention else w * a.gain(end).double()

    q, k = into(l2, "q", h2), into(l2, "k", h2)
    m = {"q": q @ k.T, "k": k @ q.T, "v": ov(l2, h2)}[side]
    w = ov(l1, h1)
    w, m = w.detach(), m.detach()
    whole = float((w @ m).norm() / w.norm() / m.norm())
    assert composition(a, (l1, h1), (l2, h2), side) == pytest.approx(whole, rel=1e-6)
    parts = components(a, (l1, h1))
    assert torch.allclose(parts.read.T @ torch.diag(parts.sizes) @ parts.write, w, atol=1e-8)
    assert (parts.write.gather(1, parts.write.abs().argmax(1, keepdim=True)) > 0).all()
    each = {
        (s.reader, w): float(x) for s in channel_scores(a, side) for w, x in zip(s.writers, s.score)
    }
    want = float((parts.write[2] @ m).norm() / m.norm())
    assert each[(l2, h2), (l1, h1, 2)] == pytest.approx(want, rel=1e-4)
    assert float(reading(a, (l2, h2), side).norm()) == pytest.approx(1)


def test_removing_a_component_is_removing_it_from_the_weights():
    model = copy.deepcopy(tiny("gpt2"))
    a = Anatomy.of(model)
    with torch.no_grad():
        a.bias(1, "v").zero_()
    before = fingerprint(model)
    ids, parts = tokens(3, 9), components(a, (1, 2))
    u = parts.write[:2].float()
    with torch.no_grad():
        with component_edit(model, (1, 2), [0, 1]):
            edited = model(ids).logits
        with component_edit(model, parts, range(2, 8), keep=True):
            kept = model(ids).logits
        other = copy.deepcopy(model)
        w = Anatomy.of(other).w_o(1)[2]
        w -= (w @ u.T) @ u
        assert torch.allclose(edited, other(ids).logits, atol=1e-5)
        assert torch.allclose(edited, kept, atol=1e-5)
        untouched = model(ids).logits
        assert (edited - untouched).abs().max() > 1e-3
        with component_edit(model, parts, range(8), scale=1.0):
            assert torch.allclose(model(ids).logits, untouched, atol=1e-5)
    assert fingerprint(model) == before


@pytest.mark.parametrize("name", ["llama", "gpt_neox"])
def test_points_of_a_grid_are_the_same_as_one_edit_after_the_other(name):
    model, ids = tiny(name), tokens(3, 7)
    u = basis(torch.randn(3, 32, generator=torch.Generator().manual_seed(1)))
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    logits, here = at_points(model, ids, u, points, layer=1)
    with torch.no_grad(), record(model, "L1.resid_pre@-1") as seen:
        model(ids)
    stream = seen["L1.resid_pre@-1"].double()
    assert torch.allclose(here, stream @ u, atol=1e-5)
    for i, point in enumerate(points):
        with (
            torch.no_grad(),
            subspace_edit(model, u, point, layer=1),
            record(model, "L1.resid_pre@-1") as s,
        ):
            want = model(ids).logits[:, -1]
        assert torch.allclose(logits[:, i], want, atol=1e-4)
        moved = s["L1.resid_pre@-1"].double()
        assert torch.allclose(moved @ u, point.double().expand(3, -1), atol=1e-4)
        assert torch.allclose(moved - moved @ u @ u.T, stream - stream @ u @ u.T, atol=1e-4)


LISTS = [*remaining_items(3, 30), *remaining_items(3, 30, seed=9)]
TOKENIZER = train_tokenizer([x.text for x in LISTS] + [x.text for x in two_names(60)] * 2, 500)


@pytest.fixture(scope="module")
def opened():
    model = build_tiny(TinySpec(len(TOKENIZER), 24, 3, heads=3, feedforward=32))
    return OpenModel(model.eval(), TOKENIZER)


def test_the_search_finds_directions_that_decide_by_index(opened):
    """The logits of the two things read two directions of the stream: moving there decides."""
    words = ["shirt", "towel"]
    lists = remaining_items(2, 16, words=words)
    ids = [TOKENIZER(" " + w, add_special_tokens=False)["input_ids"] for w in words]
    assert [len(x) for x in ids] == [1, 1]
    model = copy.deepcopy(opened.model)
    last = model.config.num_hidden_layers - 1
    with torch.no_grad():  # the last block adds nothing: the stream is read as it is
        model.model.layers[last].self_attn.o_proj.weight.zero_()
        model.model.layers[last].mlp.down_proj.weight.zero_()
        embedding = model.lm_head.weight.clone()
        embedding[[ids[0][0], ids[1][0]]] = 0
        embedding[ids[0][0], 0] = embedding[ids[1][0], 1] = 3
        model.lm_head.weight = torch.nn.Parameter(embedding)
        model.model.norm.weight.fill_(1)
    own = OpenModel(model, TOKENIZER)
    one_order = [x for x in lists if x.items == ("shirt", "towel")]
    train = [x for m in (0, 1) for x in one_order if x.missing == m]
    assert {x.missing for x in train} == {0, 1}
    states = recall_lists(own, train, last).state
    states = 8 * (states - states.mean(0))  # a range that holds both decisions
    found = search(own, train, train, torch.eye(24)[:, :2], layer=last, states=states, side=5)
    assert found.right.mean() == 1
    assert recall_lists(own, train, last).right.mean() < 1


def test_the_instrument_on_a_model_that_knows_nothing(opened):
    settings = TalkingHeads(
        readers=2, writers=2, others=2, prompts=6, lengths=(2,), searched=(3,), lists=6, side=2,
        words=sorted({w for x in LISTS for w in x.items}),
    )  # fmt: skip
    found = settings.measure(opened)
    assert [found.numbers[f"channels, {s}"].value for s in "qkv"] == [0, 0, 0]
    assert {"recall, 2 things", "recall, 3 things", "gain, channel, 3 things"} <= set(found.numbers)
    assert {r["way"] for r in found.tables["Recall of what is left"]} >= {"random", "variance"}
    rows = found.tables["Channels into the queries of movers"]
    assert len({r["reader"] for r in rows}) <= 2
    assert all(int(r["writer"][0]) < int(r["reader"][0]) for r in rows)
    assert found.to_dict() != {}
    again = settings.measure(opened)
    assert again.numbers == found.numbers


def test_two_channels_along_one_direction_span_one():
    anatomy = Anatomy.of(tiny("llama"))
    one = Channel((0, 1), 2, (2, 0), "q", 0.5, 9.0)
    other = Channel((0, 2), 0, (2, 0), "q", 0.4, 8.0)
    u = _writing(anatomy, [one, one, other])
    assert u.shape == (32, 2)
    want = torch.stack([components(anatomy, c.writer).write[c.component] for c in (one, other)])
    assert torch.allclose(want @ u @ u.T, want, atol=1e-8)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"readers": 7}, "6 heads have others below"),
        ({"readers": 0}, "a reader"),
        ({"words": ["shirt", "towel"]}, "in each half"),
        ({"searched": (3,), "lengths": (), "side": 1}, "2 points"),
    ],
)
def test_settings_out_of_range_are_one_sentence(opened, settings, told):
    few = {
        "sides": (),
        "prompts": 4,
        "lists": 3,
        "words": sorted({w for x in LISTS for w in x.items}),
    }
    with pytest.raises(ProbeError, match=told):
        TalkingHeads(**few | settings).measure(opened)


def test_a_score_stands_out_though_its_owner_has_most_of_all():
    z = torch.tensor([9.0] * 8 + [0.1, -0.5, 1.0, 0.4, -1.2, 0.3, 0.2, -0.1])
    out = standing(z, torch.tensor([0] * 8 + [1] * 4 + [2] * 4))
    assert out[:8].min() > 7
    assert out[8:].max() < 1


@pytest.mark.parametrize("rank", [1, 3, 16])
def test_random_directions_are_as_surprising_as_a_normal_number(rank):
    random = torch.Generator().manual_seed(rank)
    e = torch.randn(40, rank, generator=random, dtype=torch.float64)
    e /= e.norm()
    u = torch.randn(20_000, 40, generator=random, dtype=torch.float64)
    z = surprise((u / u.norm(dim=1, keepdim=True) @ e).norm(dim=1), e)
    for q, want in ((0.9, 1.28), (0.99, 2.33), (0.999, 3.09)):
        assert float(z.quantile(q)) == pytest.approx(want, abs=0.25)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda m: composition(m, (2, 0), (1, 0), "q"), "below"),
        (lambda m: composition(m, (0, 0), (1, 0), "z"), "sides q, k and v"),
        (lambda m: components(m, (0, 9)), "4 heads"),
        (lambda m: channels(m, alpha=2), "alpha"),
        (lambda m: basis(torch.ones(2, 8)), "depend"),
        (lambda m: at_points(m, tokens(2, 5), EYE * 2, torch.ones(1, 2), layer=1), "orthonormal"),
        (lambda m: at_points(m, tokens(2, 5), EYE, torch.ones(1, 3), layer=1), "coordinates"),
        (lambda m: component_edit(m, (0, 0), [99]).__enter__(), "components 0 to 7"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(call, told):
    with pytest.raises(ProbeError, match=told):
        call(tiny("llama"))


def test_weights_that_are_not_finite_are_refused():
    model = copy.deepcopy(tiny("llama"))
    with torch.no_grad():
        model.model.layers[1].self_attn.v_proj.weight[0, 0] = float("nan")
    with pytest.raises(ProbeError, match="NaN"):
        channels(model)
