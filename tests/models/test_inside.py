"""Attention and hidden states from the generation itself, against a plain eager pass."""

from __future__ import annotations

import asyncio

import pytest

torch = pytest.importorskip("torch")

from scrubjay.core.randomness import stream  # noqa: E402
from scrubjay.models.chat import Codec  # noqa: E402
from scrubjay.models.engine import Engine  # noqa: E402
from scrubjay.models.inside import found_inside, look_inside  # noqa: E402
from scrubjay.models.local import LocalModel  # noqa: E402
from scrubjay.models.rows import Row  # noqa: E402
from scrubjay.models.stops import Stops  # noqa: E402

EVERYTHING = frozenset({"attention", "heads", "hidden", "entropy"})
ENDS = frozenset({1, *range(2, 12)})
"""Many, so that texts of random models end."""


def tiny(kind: str, ends: bool = True):
    """A random decoder of a family: grouped heads, one key for all heads, or a head each."""
    import transformers as t

    common = {"vocab_size": 61, "eos_token_id": 1, "bos_token_id": 0, "pad_token_id": 1}
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": 256,
    }
    configs = {
        "llama": lambda: t.LlamaConfig(**common, **sizes, num_key_value_heads=2),
        "gemma": lambda: t.GemmaConfig(**common, **sizes, num_key_value_heads=1, head_dim=16),
        "gpt2": lambda: t.GPT2Config(**common, n_embd=32, n_layer=3, n_head=4, n_positions=256),
        "gemma2": lambda: t.Gemma2Config(
            **common, **sizes, num_key_value_heads=2, head_dim=8, sliding_window=24
        ),
    }
    torch.manual_seed(3)
    model = t.AutoModelForCausalLM.from_config(configs[kind](), dtype=torch.float32)
    for parameter in model.parameters():
        parameter.data.mul_(2)
    return model.eval()


def rows(n: int, most: int = 9) -> list[Row]:
    """Every second prompt starts alike; every third row wants nothing but its tokens."""
    random = stream(5, "inside")
    head = [random.randrange(2, 61) for _ in range(40)]
    made = []
    for i in range(n):
        own = [random.randrange(2, 61) for _ in range(random.randrange(1, 30))]
        row = Row((head if i % 2 else []) + own, most=most if i % 5 else 1)
        row.want = EVERYTHING if i % 3 else frozenset()
        made.append(row)
    return made


def together(engine: Engine, made: list[Row]) -> list[Row]:
    async def ask() -> None:
        await asyncio.gather(*(engine.run([row]) for row in made))

    asyncio.run(ask())
    return made


def check(model, row: Row) -> None:
    found = found_inside(row)
    if not row.tokens:
        assert found["attention"].shape == (0, len(row.prompt))
        return
    truth = look_inside(model, row.prompt, row.tokens, EVERYTHING)
    for name in ("attention", "heads", "hidden"):
        assert found[name].shape == truth[name].shape
        assert float((found[name] - truth[name]).abs().max()) < 1e-5 * max(
            1.0, float(truth[name].abs().max())
        )


@pytest.mark.parametrize("kind", ["llama", "gemma", "gpt2"])
def test_it_is_what_a_plain_eager_pass_shows(kind):
    model = tiny(kind)
    engine = Engine(model, ends=ENDS)
    company = together(engine, rows(30))
    assert any(r.finish == "stop" for r in company if r.want)
    assert sum(len(n.tokens) for n in engine.seats.tree.nodes())  # prefixes were shared
    for row in company:
        if row.want:
            check(model, row)
        else:
            assert row.heads is None
            assert not row.queries
    for i in (1, 2, 4, 5):
        (alone,) = together(Engine(model, ends=ENDS), [rows(30)[i]])
        assert alone.tokens == company[i].tokens
        check(model, alone)


def test_the_last_token_has_its_row_also_after_a_stop_string_and_under_little_memory():
    model = tiny("llama")
    made = rows(24)
    for row in made:
        row.stops = lambda tokens: len(tokens) == 4
    for row in together(Engine(model, memory=150_000), made):
        assert len(row.tokens) == min(4, row.most)
        if row.want:
            check(model, row)


def test_wanting_it_changes_nothing_else():
    made, plain = rows(20), rows(20)
    for row in plain:
        row.want = frozenset()
    model = tiny("llama")
    for a, b in zip(together(Engine(model), made), together(Engine(model), plain)):
        assert a.tokens == b.tokens
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


def test_a_later_prompt_goes_on_from_what_a_watched_row_stored():
    model = tiny("llama")
    engine = Engine(model)
    first = Row(list(range(2, 60)) * 2, most=12)
    first.want = frozenset({"attention"})
    together(engine, [first])
    later = Row([*first.prompt, *first.tokens, 7, 8, 9], most=5)
    later.want = EVERYTHING
    together(engine, [later])
    assert later.node is not None
    assert later.start >= len(first.prompt) + 11
    check(model, later)


def test_a_model_that_runs_alone_pays_one_more_pass():
    from scrubjay.models.weights import Weights

    tokenizer = __import__("scrubjay.models.tiny", fromlist=["x"]).train_tokenizer(
        ["a bird sat on a tree and sang of the sea"] * 3, 61
    )
    model = LocalModel(Weights("tiny", tiny("gemma2"), tokenizer))
    assert model.engine.plain is not None
    done = asyncio.run(
        model.generate("a bird sang", max_tokens=4, want={"attention", "hidden", "heads"})
    )
    n = len(done.tokens)
    assert done.extra["attention"].shape == (n, done.tokens_in + n)
    assert done.extra["heads"].mean(0).allclose(done.extra["attention"], atol=1e-6)
    assert set(done.extra) == {"attention", "hidden", "heads", "pieces", "prompt_pieces"}


@pytest.fixture(scope="module")
def smollm2() -> LocalModel:
    return LocalModel.load("smollm2-135m", dtype="float32")


def test_pieces_join_to_the_text_whatever_the_script(smollm2):
    codec: Codec = smollm2.codec
    for text in ("Plain words, and a comma.", "São Tomé — 東京 🦜🦜!\n\n  x", " leading"):
        ids = codec.prompt(text)
        assert "".join(codec.pieces(ids)) == text
    prompt = "The river flows through"
    done = asyncio.run(smollm2.generate(prompt, max_tokens=12, want={"attention"}))
    assert "".join(done.extra["pieces"]) == done.text
    assert "".join(done.extra["prompt_pieces"]) == prompt
    truth = look_inside(smollm2.model, codec.prompt(prompt), done.tokens, {"attention"})
    assert float((done.extra["attention"] - truth["attention"]).abs().max()) < 1e-5


def test_pieces_of_a_tokenizer_that_drops_blanks():
    from scrubjay.models.tiny import train_tokenizer

    codec = Codec(train_tokenizer(["the jay hid an acorn , and the jay came back"] * 4, 60))
    ids = codec.prompt("the jay came back")
    assert "".join(codec.pieces(ids)).split() == ["the", "jay", "came", "back"]
    assert isinstance(Stops((), codec.text), Stops)
