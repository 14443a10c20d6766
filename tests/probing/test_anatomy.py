"""The map of every family against hand recomputation: parts add up, and weights make them."""

import pytest
import torch
from tests.probing.tiny_families import NAMES, tiny, tokens

from scrubjay.core.errors import ModelError
from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.probing import Anatomy, ProbeError, Site, load_open, record

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def seen_of(name, *sites):
    model = tiny(name)
    with torch.no_grad(), record(model, *sites) as seen:
        model(tokens(2, 9))
    return Anatomy.of(model), seen


@pytest.mark.parametrize("name", NAMES)
def test_the_stream_is_the_models_and_its_parts_add_up(name):
    model = tiny(name)
    anatomy = Anatomy.of(model)
    names = ("resid_pre", "attn_out", "mlp_out", "resid_post")
    sites = [site for c in names for site in anatomy.sites(c)]
    anatomy, seen = seen_of(name, *sites, *(() if anatomy.parallel else anatomy.sites("resid_mid")))
    with torch.no_grad():
        hidden = model(tokens(2, 9), output_hidden_states=True).hidden_states
        last = anatomy.norm(seen["L2.resid_post"])
    for layer in range(3):
        pre, post = seen[f"L{layer}.resid_pre"], seen[f"L{layer}.resid_post"]
        torch.testing.assert_close(pre, hidden[layer], **CLOSE)
        attn, mlp = seen[f"L{layer}.attn_out"], seen[f"L{layer}.mlp_out"]
        torch.testing.assert_close(pre + attn + mlp, post, **CLOSE)
        if not anatomy.parallel:
            torch.testing.assert_close(seen[f"L{layer}.resid_mid"], pre + attn, **CLOSE)
    torch.testing.assert_close(last, hidden[3], **CLOSE)
    assert anatomy.parallel == (name == "gpt_neox")


@pytest.mark.parametrize("name", NAMES)
def test_weights_make_queries_keys_values_and_outputs(name):
    anatomy, seen = seen_of(
        name, *(f"L1.{c}" for c in ("resid_pre", "q", "k", "v", "attn", "z", "attn_out"))
    )
    block = anatomy.blocks[1]
    with torch.no_grad():
        x = seen["L1.resid_pre"]
        x = x if block.attention_norm is None else block.attention_norm(x)
        for kind, weights in (("q", anatomy.w_q), ("k", anatomy.w_k), ("v", anatomy.w_v)):
            made = torch.einsum("btd,hde->bthe", x, weights(1))
            bias = anatomy.bias(1, kind)
            made = made if bias is None else made + bias
            torch.testing.assert_close(seen[f"L1.{kind}"], made, **CLOSE)
        value = seen["L1.v"]
        if name == "olmo":
            value = value.clamp(-1, 1)  # clip_qkv
        heads = [anatomy.kv_head(h) for h in range(anatomy.n_heads)]
        z = torch.einsum("bqhk,bkhe->bqhe", seen["L1.attn"], value[:, :, heads])
        torch.testing.assert_close(seen["L1.z"], z, **CLOSE)
        out = torch.einsum("bthe,hed->btd", seen["L1.z"], anatomy.w_o(1))
        bias = anatomy.bias(1, "o")
        out = out if bias is None else out + bias
        if anatomy.family.attention_end:
            out = block.attention_end(out)
        torch.testing.assert_close(seen["L1.attn_out"], out, **CLOSE)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("mixtral", "qwen2_moe", "olmoe")])
def test_neurons_write_the_output_of_the_mlp(name):
    anatomy, seen = seen_of(name, "L1.neurons", "L1.mlp_out", "L1.N7.neurons")
    down = anatomy.blocks[1].down
    with torch.no_grad():
        out = seen["L1.neurons"] @ anatomy.w_down(1)
        out = out if down.bias is None else out + down.bias
        if anatomy.family.mlp_end:
            out = anatomy.blocks[1].mlp_end(out)
    torch.testing.assert_close(seen["L1.mlp_out"], out, **CLOSE)
    assert torch.equal(seen["L1.N7.neurons"], seen["L1.neurons"][:, :, 7])
    assert anatomy.w_up(1).shape == (32, anatomy.neurons(1))
    assert (anatomy.w_gate(1) is None) == (name in ("gpt2", "gpt_neox", "gpt_neox_in_turn"))


def test_weights_are_views_and_gains_what_the_norm_multiplies_by():
    for name in ("llama", "gpt2", "gpt_neox", "gemma"):
        anatomy = Anatomy.of(tiny(name))
        for weights in (anatomy.w_q(0), anatomy.w_k(0), anatomy.w_v(0), anatomy.w_o(0)):
            owners = [p.untyped_storage().data_ptr() for p in anatomy.model.parameters()]
            assert weights.untyped_storage().data_ptr() in owners
        norm = anatomy.blocks[0].attention_norm
        x = torch.randn(32, generator=torch.Generator().manual_seed(0))
        x = x - x.mean() if anatomy.norm_type == "layer" else x
        expected = x / x.square().mean().sqrt() * anatomy.gain(norm)
        bias = getattr(norm, "bias", None)
        made = norm(x) if bias is None else norm(x) - bias
        torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(anatomy.gain(None), torch.ones(32))


def test_shapes_are_the_models():
    anatomy = Anatomy.of(tiny("qwen3"))
    assert (anatomy.n_layers, anatomy.n_heads, anatomy.n_kv_heads) == (3, 4, 2)
    assert (anatomy.d_model, anatomy.d_head, anatomy.context) == (32, 16, 48)
    assert [anatomy.kv_head(h) for h in range(4)] == [0, 0, 1, 1]
    assert anatomy.positions == "rotary"
    assert Anatomy.of(tiny("gpt2")).positions == "learned"
    assert len(anatomy.sites("k", heads=True)) == 6
    assert anatomy.w_e.shape == (61, 32)
    assert anatomy.w_u.shape == (32, 61)
    assert Anatomy.of(anatomy) is anatomy


def test_a_site_and_its_text_are_the_same():
    sites = (
        Site("z", 5, 3, -1),
        Site("resid_post", 0),
        Site("logits", position=2),
        Site("neurons", 4, 17),
        Site("attn", 1, None, 3),
    )
    for site in sites:
        assert Site.parse(str(site)) == site
    assert str(sites[0]) == "L5.H3.z@-1"
    assert str(sites[3]) == "L4.N17.neurons"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("L5.H3", "no site"),
        ("L5.H3.w", "no component 'w'"),
        ("z", "needs a layer"),
        ("L1.logits", "needs no layer"),
        ("L1.H2.mlp_out", "has no heads"),
        ("L1.H2.neurons", "neurons N3"),
        ("L3.z", "has 3 layers"),
        ("L0.H4.z", "has 4 heads"),
        ("L0.H2.k", "has 2 key-value heads"),
        ("L0.N48.neurons", "has 48 neurons"),
    ],
)
def test_unknown_sites_are_refused_in_a_sentence(text, says):
    with pytest.raises(ProbeError, match=says):
        Anatomy.of(tiny("llama")).check(text)


def test_what_a_family_lacks_is_said():
    with pytest.raises(ProbeError, match="side by side"):
        Anatomy.of(tiny("gpt_neox")).check("L0.resid_mid")
    with pytest.raises(ProbeError, match="mixture of experts"):
        Anatomy.of(tiny("olmoe")).check("L0.neurons")
    with pytest.raises(ProbeError, match="has no heads"):
        Anatomy.of(tiny("llama")).sites("mlp_out", heads=True)


def test_models_that_cant_be_opened_are_refused():
    import transformers as tr

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    bert = tr.BertConfig(vocab_size=30, intermediate_size=16, **small)
    with pytest.raises(ProbeError, match="no decoder"):
        Anatomy.of(tr.BertForMaskedLM(bert))
    t5 = tr.T5Config(vocab_size=30, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    with pytest.raises(ProbeError, match="no decoder"):
        Anatomy.of(tr.T5ForConditionalGeneration(t5))
    opt = tr.OPTConfig(vocab_size=30, ffn_dim=16, word_embed_proj_dim=32, **small)
    with pytest.raises(ProbeError, match="isn't supported"):
        Anatomy.of(tr.OPTForCausalLM(opt))
    body = build_tiny(TinySpec(30, 16, 1, heads=2, feedforward=16)).model
    with pytest.raises(ProbeError, match="no head that predicts tokens"):
        Anatomy.of(body)

    class Served:
        name = "endpoint"

    with pytest.raises(ProbeError, match="'endpoint' doesn't show its inside"):
        Anatomy.of(Served())


def test_a_folder_is_opened_in_float32_and_eagerly_on_request(tmp_path):
    tokenizer = train_tokenizer(["one two three four"] * 3, 40)
    build_tiny(TinySpec(len(tokenizer), 16, 2, heads=2, feedforward=16)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    opened = load_open(str(tmp_path))
    assert opened.model.dtype == torch.float32
    assert opened.model.config._attn_implementation == "sdpa"
    ids = opened.tokenizer("one two", return_tensors="pt")["input_ids"]
    with torch.no_grad(), record(opened.model, "L1.attn") as seen:
        opened.model(ids)
    eager = load_open(str(tmp_path), eager=True).model
    with torch.no_grad():
        expected = eager(ids, output_attentions=True).attentions[1]
    torch.testing.assert_close(seen["L1.attn"].transpose(1, 2), expected, **CLOSE)
    with pytest.raises(ModelError, match="no folder"):
        load_open(str(tmp_path / "nothing"))


def test_a_model_may_come_inside_a_local_model():
    class Local:
        name, model = "local", tiny("llama")

    assert Anatomy.of(Local()).model is tiny("llama")
