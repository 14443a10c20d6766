"""Retrieval heads: a planted head that copies is found, and nothing where nothing copies."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.probing.tiny_families import tiny

from scrubjay.core.errors import InputError, ScrubjayError
from scrubjay.core.finding import Finding
from scrubjay.core.trace import Generated, Trace
from scrubjay.models.tiny import TinySpec, build_tiny, train_tokenizer
from scrubjay.probing.ablation import ablate
from scrubjay.probing.copying import (
    Copy,
    induction_scores,
    needle_recall,
    retrieval_scores,
    rouge1_recall,
    tokenized,
)
from scrubjay.probing.decoding import Prefilled, in_batches
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.heads import HeadScores, random_heads
from scrubjay.probing.open import OpenModel
from scrubjay.probing.planted import induction_model
from scrubjay.probing.provenance import context_share, provenance
from scrubjay.probing.retrieval_heads import RetrievalHeads
from scrubjay.worlds.needle import NeedleTask, count_words, questions_by_source


def copies(count: int = 6, length: int = 20, needle: int = 3, seed: int = 0) -> list[Copy]:
    """Random tokens, none twice but the last: what followed it is to be written."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        ids = [0, *(1 + random.permutation(29)[: length - 2])]
        place = int(random.integers(1, length - needle - 1))
        made.append(Copy((*map(int, ids), int(ids[place])), place + 1, place + 1 + needle))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_the_planted_head_is_found_and_nothing_else(seed: int) -> None:
    planted = induction_model(30, 26, heads=3, seed=seed)
    model = OpenModel(planted.model, None)
    scores = retrieval_scores(model, copies(seed=seed), most=3)
    expected = np.zeros((2, 3))
    expected[planted.induction] = 1
    others = scores.mean.copy()
    others[planted.induction] = 0
    assert scores.mean[planted.induction] == 1
    assert others.max() < 0.3  # heads that attend at random hit now and then
    assert scores.top(1) == [planted.induction]
    assert scores.frequency[planted.induction] == 1
    assert scores.mass is not None
    assert scores.mass.argmax() == expected.argmax()
    assert scores.n_used == 6
    assert induction_scores(model, length=10, seed=seed)[planted.induction] > 0.6


def test_without_a_circuit_there_is_no_answer_and_no_heat_map() -> None:
    model = OpenModel(induction_model(30, 26, working=False).model, None)
    with pytest.raises(ProbeError, match="none of 6 samples"):
        retrieval_scores(model, copies(), most=3)


def test_taking_the_head_out_takes_the_answer_and_random_heads_do_not() -> None:
    planted = induction_model(30, 26, heads=3, seed=1)
    model, tests = OpenModel(planted.model, None), copies(seed=9)
    control = random_heads((2, 3), [planted.induction], without=[planted.previous])
    told = {"intact": [], "head": [planted.induction], "random": control}
    for mode in ("uniform", "zero"):
        found = needle_recall(model, tests, told, mode=mode, most=3)
        assert found["intact"].min() == found["random"].min() == 1
        assert found["head"].mean() < 0.4
    # The head that prepares the keys works while the prompt is read: decoding doesn't need it to
    # read the first token, but what is written then has no key of its own.
    for scope, low, high in (("decode", 0.3, 1.01), ("all", -1, 0.35)):
        out = needle_recall(model, tests, {"p": [planted.previous]}, scope=scope, most=3)["p"]
        assert low < out.mean() < high


def test_countings_differ_where_a_token_is_written_twice() -> None:
    planted = induction_model(30, 26, heads=2, seed=0)
    model = OpenModel(planted.model, None)
    one = [Copy((0, 5, 6, 7, 8, 5), 2, 4)]  # 6 7 is the needle, then it goes on with 8 5 6 7 …
    by_set = retrieval_scores(model, one, most=7)
    by_step = retrieval_scores(model, one, counting="step", most=7)
    assert by_set.mean[planted.induction] == 1
    assert by_step.mean[planted.induction] >= 1
    with pytest.raises(ProbeError, match="no counting"):
        retrieval_scores(model, one, counting="mass")  # type: ignore[arg-type]


def test_scores_by_hand_from_full_attention_maps() -> None:
    """The rule once more, from a teacher-forced pass with the model's own attention maps."""
    model = build_tiny(TinySpec(40, 32, 2, 4, 64, context=64, seed=5)).eval()
    random = np.random.default_rng(0)
    samples = [Copy(tuple(map(int, random.integers(4, 40, n))), 3, 12) for n in (18, 25, 21)]
    scores = retrieval_scores(OpenModel(model, None), samples, success=-1, most=8)
    for mode, number in (("batched", 200), ("alone", 1)):
        again = retrieval_scores(OpenModel(model, None), samples, success=-1, most=8, batch=number)
        assert np.allclose(again.samples, scores.samples), mode
    model.set_attn_implementation("eager")
    for n, c in enumerate(samples):
        ids = list(c.ids)
        hits = np.zeros((2, 4, 40), dtype=bool)
        for _ in range(8):
            with torch.no_grad():
                out = model(torch.tensor([ids]), output_attentions=True)
            w = int(out.logits[0, -1].argmax())
            if w == model.config.eos_token_id:
                break
            for layer, maps in enumerate(out.attentions):
                for head in range(4):
                    j = int(maps[0, head, -1].argmax())
                    if 3 <= j < 12 and ids[j] == w:
                        hits[layer, head, w] = True
            ids.append(w)
        assert np.allclose(scores.samples[n], hits.sum(-1) / len(set(c.needle)))


def test_decoding_again_is_decoding_anew_even_after_an_exception() -> None:
    model = build_tiny(TinySpec(40, 32, 2, 4, 64, context=64, seed=5)).eval()
    prompts = [[5, 6, 7, 8, 9], [10, 11], [12]]
    read = Prefilled(model, prompts)
    first = read.greedy(6)
    alone = [Prefilled(model, [p]).greedy(6)[0] for p in prompts]
    assert first == alone

    def broken(token: int) -> bool:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        read.greedy(6, broken)
    with ablate(model, (0, 1), (1, 2), scope="decode"):
        read.greedy(6)
    assert read.greedy(6) == first
    with pytest.raises(ProbeError, match="context"):
        read.greedy(61)
    assert in_batches([3, 9, 4], 8) == [[0, 2], [1]]


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma2", "gemma3", "gpt_neox", "olmo2"])
def test_batched_decoding_writes_what_each_prompt_gets_alone(family: str) -> None:
    model = tiny(family).eval()
    prompts = [[5, 6, 7, 8, 9, 10, 11, 12, 13, 14], [20, 21, 22], [30, 31, 32, 33]]
    expected = []
    for prompt in prompts:
        ids = list(prompt)
        with torch.no_grad():
            for _ in range(5):
                token = int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
                if token == model.config.eos_token_id:
                    break
                ids.append(token)
        expected.append(ids[len(prompt) :])
    assert Prefilled(model, prompts).greedy(5) == expected


def test_scores_are_kept_and_compared(tmp_path) -> None:
    samples = np.zeros((4, 2, 3))
    samples[:, 1, 2], samples[:2, 0, 1] = 1, 0.5
    scores = HeadScores(samples)
    assert scores.top(2) == [(1, 2), (0, 1)]
    assert scores.above(0.3) == [(1, 2)]
    assert scores.frequency[0, 1] == 0.5
    scores.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["0-1"] == [0.5, 0.5, 0, 0]
    again = HeadScores.load(tmp_path / "a.json")
    assert np.array_equal(again.samples, samples)
    assert scores.pearson(again) == pytest.approx(1)
    with pytest.raises(ProbeError, match="compared"):
        scores.pearson(HeadScores(np.ones((1, 2, 2))))
    with pytest.raises(ProbeError, match="6 heads"):
        scores.top(7)
    with pytest.raises(ProbeError):
        HeadScores(np.zeros((0, 2, 3)))
    for text in ("{", "[]", "{}", '{"0-0": [1], "1-1": [1]}', '{"0-0": [null]}', '{"a": [1]}'):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(InputError, match="no head scores"):
            HeadScores.load(tmp_path / "b.json")


def test_random_controls_match_layers_and_leave_out_what_they_must() -> None:
    like = [(3, 1), (3, 2), (0, 0)]
    drawn = random_heads((5, 3), like, without=[(3, 0)], seed=4)
    assert len(set(drawn)) == 3
    assert not {*drawn} & {*like, (3, 0)}
    assert sorted(abs(i - 3) for i, _ in drawn)[:2] == [1, 1]  # layer 3 had none left
    assert random_heads((5, 3), like, matched=False) != random_heads(
        (5, 3), like, matched=False, seed=1
    )
    with pytest.raises(ProbeError, match="too few"):
        random_heads((1, 3), [(0, 0), (0, 1)])


def test_needles_are_where_they_say_at_every_length_and_depth() -> None:
    task = NeedleTask(lengths=(96, 300), depths=(0, 0.5, 1))
    samples = task.samples()
    assert samples == task.samples() != NeedleTask((96, 300), (0, 0.5, 1), seed=1).samples()
    for s in samples:
        assert s.prompt[slice(*s.span)] == s.answer
        assert s.prompt.endswith(s.template)
        assert s.length * 0.75 < count_words(s.prompt) <= s.length
        for word in s.answer.split():
            assert s.prompt.count(word) == 1
        body = s.prompt.partition("\n\n")[0]
        place = body.index(s.answer) / (len(body) - len(s.answer))
        assert abs(place - s.depth) < 0.45
    for wrong in ({"lengths": ()}, {"lengths": (20,)}, {"depths": (2,)}, {"templates": ()}):
        with pytest.raises(ScrubjayError):
            NeedleTask(**wrong)
    pairs = questions_by_source(60)
    assert all(p.read_answer in p.read and p.remember_answer not in p.remember for p in pairs)
    with pytest.raises(ScrubjayError):
        questions_by_source(1000)


TOKENIZER = train_tokenizer([s.prompt for s in NeedleTask(lengths=(96,)).samples()] * 3, 300)


def test_what_cannot_be_measured_is_said() -> None:
    small = build_tiny(TinySpec(len(TOKENIZER), 32, 2, 4, 64, context=512, seed=5)).eval()
    model = OpenModel(small, TOKENIZER)
    needles = NeedleTask(lengths=(96,), depths=(0.5,)).samples()
    (copy, *_) = tokenized(model, needles)
    assert TOKENIZER.decode(copy.needle).split() == needles[0].answer.split()
    with pytest.raises(ProbeError, match="answers none"):
        retrieval_scores(model, needles, most=4)
    with pytest.raises(ProbeError, match="no needles"):
        retrieval_scores(model, [])
    with pytest.raises(ProbeError, match="isn't in a prompt"):
        Copy((1, 2), 1, 3)
    with pytest.raises(ProbeError, match="8 heads"):
        RetrievalHeads().measure(model)
    with pytest.raises(ProbeError, match="no mode"):
        RetrievalHeads(counts=(1,), mode="loud").measure(model)  # type: ignore[arg-type]
    with pytest.raises(ProbeError, match="counted from 0"):
        needle_recall(model, needles, {"x": [(7, 0)]}, most=2)
    assert rouge1_recall(["a", "b", "b"], ["b", "b", "c", "c"]) == 0.5


def test_the_instrument_says_it_all_in_a_finding() -> None:
    planted = induction_model(30, 26, heads=4, seed=2)
    told: list[str] = []
    found = RetrievalHeads(counts=(1, 2), draws=2, memory=0, threshold=0.5, most=3).measure(
        OpenModel(planted.model, None),
        copies(seed=1),
        tests=copies(seed=2),
        progress=lambda what, done, total: told.append(f"{what} {done}/{total}"),
    )
    assert found.tables["Heads"][0]["head"] == f"L1H{planted.induction[1]}"
    rows = {(r["without"], r["heads"]): r["needle recall"] for r in found.tables["Without heads"]}
    assert rows["intact", 0] == rows["random", 1] == 1
    assert max(rows["retrieval", 1], rows["attention", 1], rows["induction", 1]) < 0.4
    assert found.numbers["retrieval heads"].value == 1 / 8
    assert found.numbers["needle recall, retrieval 1"].high < 0.6
    assert any(line.startswith("needles 6/6") for line in told)
    assert Finding.from_dict(json.loads(json.dumps(found.to_dict()))).numbers == dict(found.numbers)
    with pytest.raises(ProbeError, match="threshold"):
        RetrievalHeads(counts=(1,), threshold=0).measure(OpenModel(planted.model, None))


def test_provenance_tells_copied_tokens_from_others() -> None:
    planted = induction_model(30, 26, heads=3, seed=2)

    class Numbers:
        """Token 7 is written "7"."""

        def __call__(self, text: str, **_):
            return {"input_ids": [int(t) for t in text.split()]}

        def decode(self, ids):
            return " ".join(map(str, ids))

    model = OpenModel(planted.model, Numbers())
    tokens = provenance(model, [planted.induction], "0 4 5 6 9 4", "5 6 20")
    assert [t.origin for t in tokens] == [2, 3, None]
    assert tokens[0].heads == (planted.induction,)
    assert tokens[2].heads == ()
    trace = Trace([Generated("0 1 2", "3"), Generated("0 4 5 6 9 4", "5 6 20")])
    assert context_share(model, [planted.induction], trace) == pytest.approx(2 / 3)
    with pytest.raises(ProbeError, match="no text"):
        context_share(model, [planted.induction], Trace())
    with pytest.raises(ProbeError, match="needs a head"):
        provenance(model, [], "0 1", "2")
    with pytest.raises(ProbeError, match="a prompt and an answer"):
        provenance(model, [planted.induction], "0 1", "")
