"""The engine against transformers: same tokens, same log-probabilities, alone and in company."""

from __future__ import annotations

import asyncio
import logging

import pytest

torch = pytest.importorskip("torch")

from scrubjay.core.coalesce import Coalescer  # noqa: E402
from scrubjay.core.randomness import stream  # noqa: E402
from scrubjay.models.engine import Engine  # noqa: E402
from scrubjay.models.packing import plan_pass  # noqa: E402
from scrubjay.models.prefix import PrefixTree  # noqa: E402
from scrubjay.models.rows import Row  # noqa: E402
from scrubjay.models.runner import Runner  # noqa: E402

VOCABULARY = 97


def tiny(kind: str):
    """A random model of a family, small enough to run a hundred times a second."""
    import transformers as t

    common = {"vocab_size": VOCABULARY, "eos_token_id": 1, "bos_token_id": 0, "pad_token_id": 1}
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
    }
    configs = {
        "llama": lambda: t.LlamaConfig(**common, **sizes, num_key_value_heads=2),
        "qwen2": lambda: t.Qwen2Config(**common, **sizes, num_key_value_heads=2),
        "gpt_neox": lambda: t.GPTNeoXConfig(**common, **sizes),
        "gemma": lambda: t.GemmaConfig(**common, **sizes, num_key_value_heads=1, head_dim=16),
        "gpt2": lambda: t.GPT2Config(**common, n_embd=32, n_layer=2, n_head=4, n_positions=512),
        "gemma2": lambda: t.Gemma2Config(
            **common, **sizes, num_key_value_heads=2, head_dim=8, sliding_window=24
        ),
    }
    torch.manual_seed(3)
    model = t.AutoModelForCausalLM.from_config(configs[kind](), dtype=torch.float32)
    for parameter in model.parameters():  # larger weights: answers that depend on the prompt
        parameter.data.mul_(3)
    return model.eval()


def sequences(n: int, *, shared: int = 40) -> list[list[int]]:
    """Token ids of mixed length; two in three start alike, one in three alike for longer."""
    random = stream(5, "sequences")
    head = [random.randrange(2, VOCABULARY) for _ in range(2 * shared)]
    found = []
    for i in range(n):
        own = [random.randrange(2, VOCABULARY) for _ in range(random.randrange(1, 50))]
        found.append(head[: (0, shared, 2 * shared)[i % 3]] + own)
    return found


def greedy(model, prompt: list[int], n: int) -> list[int]:
    ids = torch.tensor([prompt])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, do_sample=False, pad_token_id=1
    )[0, len(prompt) :].tolist()
    return out[: out.index(1)] if 1 in out else out


def logprobs(model, prompt: list[int], more: list[int]) -> list[float]:
    with torch.inference_mode():
        every = model(torch.tensor([prompt + more])).logits[0].float().log_softmax(-1)
    return [float(every[len(prompt) - 1 + i, token]) for i, token in enumerate(more)]


def together(engine: Engine, rows: list[Row]) -> list[Row]:
    async def ask() -> None:
        await asyncio.gather(*(engine.run([row]) for row in rows))

    asyncio.run(ask())
    return rows


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt_neox", "gemma", "gpt2"])
def test_families_share_prefixes_and_agree_with_transformers(kind):
    model = tiny(kind)
    engine = Engine(model, ends={1})
    assert engine.plain is None
    rows = together(engine, [Row(p, most=9) for p in sequences(24)])
    assert sum(len(n.tokens) for n in engine.seats.tree.nodes()) >= 80  # the two shared heads, once
    for row in rows:
        assert row.tokens == greedy(model, row.prompt, 9)
        assert row.logprobs == pytest.approx(logprobs(model, row.prompt, row.tokens), abs=1e-4)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma"])  # heads that share keys: 2, 1, all
@pytest.mark.parametrize("fused", [True, False])
def test_long_and_short_rows_under_the_same_prefixes(fused, kind, monkeypatch):
    """On processors with a fast fused kernel, and on those without."""
    model, plans = tiny(kind), []
    monkeypatch.setattr("scrubjay.models.attention._fused", lambda q: fused)
    monkeypatch.setattr("scrubjay.models.attention._CACHED", 1000)  # blocks of 64 queries

    def planned(*args):
        line = plan_pass(*args)
        plans.append(line.plan)
        return line

    monkeypatch.setattr("scrubjay.models.engine.plan_pass", planned)
    engine = Engine(model, ends={1})
    head, deep = list(range(2, 90)), list(range(90, 2, -1))
    lengths = (70, 5, 90, 20, 200, 64, 63)
    tails = [[2 + (11 * i + j * j) % 95 for j in range(n)] for i, n in enumerate(lengths)]
    prompts = [head + part + tail for part in ([], deep) for tail in tails] + sequences(24)
    rows = together(engine, [Row(p, most=9) for p in prompts])
    (first, *_) = plans
    assert {len(run.before) for run in first.long} == {0, 1, 2}
    assert any(not isinstance(shared.tokens, slice) for shared in first.shared)
    for row in rows:
        assert row.tokens == greedy(model, row.prompt, 9)
        assert row.logprobs == pytest.approx(logprobs(model, row.prompt, row.tokens), abs=1e-4)


def test_a_family_that_cannot_share_says_so_and_agrees(caplog):
    model = tiny("gemma2")
    with caplog.at_level(logging.WARNING):
        engine = Engine(model, ends={1})
    assert engine.plain is not None
    assert "without sharing" in caplog.text
    rows = together(engine, [Row(p, most=5) for p in sequences(4)])
    assert [r.tokens for r in rows] == [greedy(model, r.prompt, 5) for r in rows]


def test_alone_and_in_company_give_the_same_tokens():
    engine = Engine(tiny("llama"), ends={1})
    prompts = sequences(20)
    company = [r.tokens for r in together(engine, [Row(p, most=7) for p in prompts])]
    alone = [together(engine, [Row(p, most=7)])[0].tokens for p in prompts]
    assert alone == company


def test_scores_are_those_of_a_plain_forward():
    model = tiny("llama")
    engine = Engine(model)
    prompt, *others = sequences(7)
    rows = [Row(prompt + o[:9], scored_from=len(prompt)) for o in others]

    asyncio.run(engine.run(rows))
    for row in rows:
        truth = logprobs(model, prompt, row.prompt[len(prompt) :])
        assert row.logprobs == pytest.approx(truth, abs=1e-4)


def test_repeating_a_run_gives_the_same_bits():
    def once() -> list[list[float]]:
        engine = Engine(tiny("llama"), ends={1})
        return [r.logprobs for r in together(engine, [Row(p, most=8) for p in sequences(16)])]

    assert once() == once()


def test_memory_is_capped_and_rows_wait_their_turn(monkeypatch):
    model = tiny("llama")
    roomy, tight = Engine(model, ends={1}), Engine(model, ends={1}, memory=200_000)
    used: dict[Engine, list[int]] = {roomy: [], tight: []}
    compute = Engine._pass

    def watched(engine: Engine) -> None:
        used[engine].append(engine.seats.used())
        compute(engine)

    monkeypatch.setattr(Engine, "_pass", watched)
    prompts = sequences(30)
    free = [r.tokens for r in together(roomy, [Row(p, most=6) for p in prompts])]
    assert [r.tokens for r in together(tight, [Row(p, most=6) for p in prompts])] == free
    assert max(used[tight]) <= 200_000 < max(used[roomy])


def conversations(seed: int, n: int, turns: int) -> list[list[list[int]]]:
    """Prompts in order: each goes on from a place in the one before, the first all start alike."""
    random = stream(seed, "conversations")
    some = lambda most: [random.randrange(2, VOCABULARY) for _ in range(random.randrange(1, most))]  # noqa: E731
    head, found = some(60), []
    for _ in range(n):
        told = [head + some(90)]
        while len(told) < turns:
            told.append(told[-1][: random.randrange(len(head), len(told[-1]) + 1)] + some(60))
        found.append(told)
    return found


@pytest.mark.parametrize("memory", [800_000_000, 150_000])
def test_a_prompt_goes_on_from_the_one_before_it_in_its_own_places(memory):
    model = tiny("llama")
    engine = Engine(model, ends={1}, memory=memory)
    rows: list[Row] = []
    used: list[int] = []

    async def tell(prompts: list[list[int]]) -> None:
        for i, prompt in enumerate(prompts):
            row = Row(prompt, most=12, scored_from=len(prompt) - 1 if i % 2 else None)
            rows.append(row)
            await engine.run([row])
            used.append(engine.seats.used())

    async def everybody() -> None:
        await asyncio.gather(*(tell(c) for c in conversations(2, 9, 4)))

    asyncio.run(everybody())
    adopted = [row for row in rows if row.adopted]
    assert max(used) <= memory
    assert len(adopted) > (12 if memory > 1_000_000 else 0)
    for row in rows:
        said = greedy(model, row.prompt, 12)
        assert row.tokens == said
        got = row.logprobs[-len(said) :] if said else []
        assert got == pytest.approx(logprobs(model, row.prompt, said), abs=1e-4)


@pytest.mark.parametrize(
    ("seed", "n", "memory"), [(0, 16, 400_000), (1, 16, 250_000), (2, 40, 700_000)]
)
def test_a_prefix_dropped_to_make_room_is_computed_again_for_rows_that_waited_for_it(
    seed, n, memory
):
    model = tiny("llama")

    def told(engine: Engine) -> list[list[list[int]]]:
        async def tell(prompts: list[list[int]]) -> list[list[int]]:
            return [(await engine.run([Row(p, most=6)]))[0].tokens for p in prompts]

        async def everybody() -> list[list[list[int]]]:
            return await asyncio.gather(*(tell(c) for c in conversations(seed, n, 4)))

        return asyncio.run(everybody())

    assert told(Engine(model, ends={1}, memory=memory)) == told(Engine(model, ends={1}))


def test_conversations_that_have_begun_end_before_others_take_their_room(monkeypatch):
    model, computed = tiny("llama"), list[int]()
    run = Runner.__call__

    def counted(self: Runner, ids, *rest):
        computed.append(len(ids))
        return run(self, ids, *rest)

    monkeypatch.setattr(Runner, "__call__", counted)

    def tokens(memory: int) -> int:
        engine = Engine(model, ends={1}, memory=memory)
        search: Coalescer[list[int], list[int]] = Coalescer(list)
        computed.clear()

        async def tell(prompts: list[list[int]]) -> None:
            for prompt in prompts:
                await engine.run([Row(await search(prompt), most=6)])

        async def everybody() -> None:
            await asyncio.gather(*(tell(c) for c in conversations(4, 30, 5)))

        asyncio.run(everybody())
        return sum(computed)

    assert tokens(300_000) < 1.05 * tokens(800_000_000)


def test_only_what_nobody_else_needs_is_adopted():
    engine = Engine(tiny("llama"))
    (first,) = together(engine, [Row(list(range(2, 90)), most=9)])
    told = [*first.prompt, *first.tokens]
    twins = [Row([*told, 5, i], most=3) for i in (6, 7)]
    together(engine, twins)
    assert [t.adopted for t in twins] == [0, 0]
    assert all(t.start >= len(told) - 1 for t in twins)  # shared, not computed again
    (alone,) = together(engine, [Row([*told, 5, 8], most=3)])
    assert alone.adopted >= len(told) - 1
    (scored,) = together(engine, [Row([*told, 5, 8], scored_from=len(told))])
    assert scored.adopted == 0  # it stores nothing, so it has no places


def test_late_rows_join_while_others_decode_and_cancelled_rows_leave():
    model = tiny("llama")
    engine = Engine(model)  # no end token: rows run to their last token
    prompts = sequences(6)

    async def story() -> tuple[list[int], list[int]]:
        first = asyncio.create_task(engine.run([Row(prompts[0], most=40)]))
        dropped = asyncio.create_task(engine.run([Row(prompts[1], most=400)]))
        while engine.asked < 2 or not engine.seats.pool.rows:
            await asyncio.sleep(0)
        (late,) = await engine.run([Row(prompts[2], most=4)])
        assert not first.done()
        dropped.cancel()
        (row,) = await first
        assert dropped.done()
        assert not engine.seats.pool.rows
        return row.tokens, late.tokens

    long, short = asyncio.run(story())
    model.generation_config.eos_token_id = None
    assert long[:12] == _endless(model, prompts[0], 12)
    assert short == _endless(model, prompts[2], 4)


def _endless(model, prompt: list[int], n: int) -> list[int]:
    ids = list(prompt)
    for _ in range(n):
        with torch.inference_mode():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def test_an_error_reaches_everybody_and_the_engine_goes_on():
    model = tiny("llama")
    engine = Engine(model, ends={1})
    good = sequences(3)

    async def story() -> list[object]:
        rows = [Row(p, most=3) for p in [*good, [VOCABULARY + 5]]]  # an id the model doesn't have
        return await asyncio.gather(*(engine.run([r]) for r in rows), return_exceptions=True)

    assert all(isinstance(x, IndexError) for x in asyncio.run(story()))
    (row,) = together(engine, [Row(good[0], most=3)])
    assert row.tokens == greedy(model, good[0], 3)


def test_settle_forgets_every_prefix():
    engine = Engine(tiny("llama"), ends={1})
    together(engine, [Row(p, most=3) for p in sequences(9)])
    assert list(engine.seats.tree.nodes())
    engine.settle()
    assert not list(engine.seats.tree.nodes())


def test_weights_that_change_are_noticed():
    model = tiny("llama")
    engine = Engine(model, ends={1})
    prompt = sequences(1)[0]
    before = together(engine, [Row(prompt, most=1)])[0].logprobs
    with torch.no_grad():
        model.lm_head.weight.mul_(0.5)
    (after,) = together(engine, [Row(prompt, most=1)])
    assert after.logprobs != before
    assert after.logprobs == pytest.approx(logprobs(model, prompt, after.tokens), abs=1e-4)


def test_the_tree_keeps_what_is_shared_once():
    a, b, c = list(range(20)), list(range(100, 130)), list(range(200, 240))
    prompts = [a + b + [1], a + b + [2], a + c + [3], a + c + [4], [9, 9]]
    tree = PrefixTree()
    nodes = tree.place(prompts, [len(p) - 1 for p in prompts], [])
    assert [n.end for n in nodes] == [50, 50, 60, 60, 0]
    assert sorted(n.tokens for n in tree.nodes()) == [a, b, c]
    # A new prompt that leaves in the middle of b splits it; rows below b keep their node.
    tree.place([a + b[:17] + [5, 6]], [38], [])
    assert nodes[0].chain()[-2].tokens == b[:17]
    assert nodes[0].tokens == b[17:]
