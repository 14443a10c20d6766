"""Causal language modelling: the loss against the library's own, learning, resuming to the bit."""

import math
from pathlib import Path

import pytest
import torch

from scrubjay.core.randomness import stream
from scrubjay.models.tiny import TinySpec, build_tiny
from scrubjay.training import Example, Schedule, train_causal
from scrubjay.training.pretrain import causal_loss

SPEC = TinySpec(vocabulary=24, width=16, layers=2, heads=2, feedforward=32)


def copying(step: int, size: int = 16) -> list[Example]:
    """'a b c | a b c': the second half can be known."""
    rng = stream(0, "copying", step)
    words = [[rng.randrange(4, 24) for _ in range(3)] for _ in range(size)]
    return [Example([*w, 2, *w], [False] * 4 + [True] * 3) for w in words]


def test_loss_equals_the_models_own_on_the_tokens_that_count() -> None:
    model = build_tiny(SPEC)
    examples = [Example([5, 6, 7, 8], [True, False, True, True]), Example([9, 10], [False, True])]
    labels = torch.tensor([[-100, -100, 7, 8], [-100, 10, -100, -100]])
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
    expected = model(input_ids=ids, labels=labels).loss
    assert causal_loss(model, examples).item() == pytest.approx(expected.item(), rel=1e-5)


def test_loss_of_a_text_does_not_depend_on_its_neighbours_padding() -> None:
    model = build_tiny(SPEC)
    short = Example([5, 6, 7], [True] * 3)
    silent = Example([8] * 9, [False] * 9)
    assert causal_loss(model, [short]).item() == pytest.approx(
        causal_loss(model, [short, silent]).item(), rel=1e-5
    )


def test_it_learns_what_can_be_known() -> None:
    """A constant text goes to loss 0, from about log(vocabulary)."""
    model = build_tiny(SPEC)
    text = [Example([2, 7, 9, 4, 11, 1], [False, True, True, True, True, True])]
    losses = train_causal(model, lambda step: text, Schedule(60, 1e-2, warmup=5))
    assert losses[0] == pytest.approx(math.log(24), abs=1.0)
    assert losses[-1] < 0.05
    assert not model.training


def test_the_schedule_warms_up_and_falls_to_a_tenth() -> None:
    schedule = Schedule(steps=110, rate=1.0, warmup=10)
    rates = [schedule.at(step) for step in range(110)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert rates[60] == pytest.approx(0.55)
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True)
    assert schedule.at(110) == pytest.approx(0.1)


@pytest.mark.parametrize("half", [False, True])
def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path, half: bool) -> None:
    schedule = Schedule(12, warmup=2, half=half)
    whole = build_tiny(SPEC)
    expected = train_causal(whole, copying, schedule)

    class Killed(Exception):
        pass

    def kill(done: int, loss: float) -> bool:
        if done == 8:
            raise Killed
        return False

    file = tmp_path / "run.safetensors"
    with pytest.raises(Killed):
        train_causal(build_tiny(SPEC), copying, schedule, checkpoint=file, every=5, look=kill)
    seen: list[int] = []

    def watched(step: int) -> list[Example]:
        seen.append(step)
        return copying(step)

    resumed = build_tiny(SPEC)
    losses = train_causal(resumed, watched, schedule, checkpoint=file, every=5)
    assert seen == list(range(5, 12))
    assert losses == expected
    assert all(torch.equal(x, y) for x, y in zip(whole.parameters(), resumed.parameters()))


def test_look_can_end_training() -> None:
    losses = train_causal(
        build_tiny(SPEC), copying, Schedule(50), look=lambda done, loss: done == 3
    )
    assert len(losses) == 3
