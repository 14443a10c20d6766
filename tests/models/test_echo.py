"""Guesses: found by hand and by naive search; they change how many passes, never what comes out."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from tests.models.test_engine import greedy, sequences, tiny  # noqa: E402

from scrubjay.core.randomness import stream  # noqa: E402
from scrubjay.models.echo import LONGEST, Echo  # noqa: E402
from scrubjay.models.engine import Engine  # noqa: E402
from scrubjay.models.rows import Row  # noqa: E402
from scrubjay.models.runner import Runner  # noqa: E402
from scrubjay.models.sampling import Sampler  # noqa: E402


def test_a_guess_is_what_followed_the_last_two_tokens_the_last_time():
    echo = Echo([1, 2, 3, 4, 1, 2, 5, 6])
    assert echo.guess(4) == []  # 5 6 is new
    echo.add([1, 2])
    assert echo.guess(4) == [5, 6, 1, 2]
    assert echo.guess(1) == [5]
    assert echo.guess(0) == echo.guess(-1) == []
    echo.add([3])
    assert echo.guess(2) == [4, 1]
    assert Echo([7]).guess(3) == Echo().guess(3) == []


@given(st.lists(st.integers(0, 2), max_size=30), st.integers(0, 6))
def test_a_guess_is_found_by_naive_search(text, most):
    places = [i for i in range(2, len(text)) if text[i - 2 : i] == text[-2:]]
    told = text[places[-1] :][: min(most, LONGEST)] if places else []
    assert Echo(text).guess(most) == told


WANT = frozenset({"entropy", "hidden", "attention", "heads"})


def generated(monkeypatch, guess) -> tuple[list[Row], int]:
    """Rows in company, with ``guess(text so far)`` in place of the usual guesses; and how
    many passes they took."""
    passes = []
    run = Runner.__call__

    def counted(self: Runner, *line):
        passes.append(len(line[0]))
        return run(self, *line)

    class Planted(Echo):
        def guess(self, most: int) -> list[int]:
            return guess(tuple(self._text))[:most]

    model = tiny("llama")
    with monkeypatch.context() as patch:
        patch.setattr("scrubjay.models.rows.Echo", Planted)
        patch.setattr(Runner, "__call__", counted)
        engine = Engine(model, ends={1})
        passes.clear()
        rows = [
            Row(p, most=70, want=WANT if i % 2 else frozenset()) for i, p in enumerate(sequences(9))
        ]
        rows[4].stops = lambda tokens: len(tokens) == 11

        async def ask() -> None:
            await asyncio.gather(*(engine.run([row]) for row in rows))

        asyncio.run(ask())
    return rows, len(passes)


def test_right_wrong_and_half_right_guesses_change_nothing_but_the_passes(monkeypatch):
    model, random = tiny("llama"), stream(0, "guesses")
    truth = {tuple(p): greedy(model, p, 75) for p in sequences(9)}

    def right(text: tuple[int, ...]) -> list[int]:
        prompt = next(p for p in truth if text[: len(p)] == p)
        return truth[prompt][len(text) - len(prompt) :][:5]

    def half_right(text: tuple[int, ...]) -> list[int]:
        return [(t + random.randrange(3) // 2) % 97 for t in right(text)][: random.randrange(6)]

    def wrong(text: tuple[int, ...]) -> list[int]:
        return [(t + 1) % 97 for t in right(text)]

    plain, slow = generated(monkeypatch, lambda text: [])
    assert [r.tokens for i, r in enumerate(plain) if i != 4] == [
        t[:70] for i, t in enumerate(truth.values()) if i != 4
    ]
    assert max(len(r.tokens) for r in plain) == 70  # into a second block of 64
    took = []
    for guess in (right, half_right, wrong):
        rows, passes = generated(monkeypatch, guess)
        took.append(passes)
        for row, same in zip(rows, plain):
            assert (row.tokens, row.finish) == (same.tokens, same.finish)
            assert row.logprobs == pytest.approx(same.logprobs, abs=1e-4)
            assert row.entropies == pytest.approx(same.entropies, abs=1e-4)
            assert len(row.states) == len(same.states)
            assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(row.states, same.states))
            if row.watched:
                assert row.heads is not None
                assert same.heads is not None
                assert torch.allclose(row.heads, same.heads, atol=1e-4)
    assert took[0] < slow / 4
    assert took[0] < took[1] < slow
    assert took[2] == slow


def test_a_sampled_row_draws_token_by_token(monkeypatch):
    def drawn(guess) -> list[int]:
        monkeypatch.setattr("scrubjay.models.rows.Echo.guess", lambda self, most: guess[:most])
        engine = Engine(tiny("llama"), ends={1})
        row = Row(sequences(1)[0], most=20, sampler=Sampler(1.0, 0.9, 3))
        return asyncio.run(engine.run([row]))[0].tokens

    assert drawn([5, 6, 7]) == drawn([])
