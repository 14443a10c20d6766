"""Which number format a processor gets, and that ``auto`` asks for it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from scrubjay.models import processor  # noqa: E402
from scrubjay.models.weights import load_weights  # noqa: E402


@pytest.mark.parametrize(
    ("name", "instructions", "tiles", "bfloat16"),
    [
        ("Intel Xeon", True, True, True),
        ("Intel Xeon", True, False, False),
        ("Intel Core", False, False, False),
        ("AMD EPYC", True, False, True),
        ("ARM Neoverse", True, False, True),
        ("AMD EPYC", False, False, False),
    ],
)
def test_bfloat16_where_the_processor_is_faster_in_it(
    monkeypatch, name, instructions, tiles, bfloat16
):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: instructions)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": name})
    assert processor.prefers_bfloat16() is bfloat16


@pytest.mark.parametrize("prefers", [True, False])
def test_auto_is_the_format_the_processor_prefers(monkeypatch, prefers):
    monkeypatch.setattr("scrubjay.models.weights.prefers_bfloat16", lambda: prefers)
    wanted = torch.bfloat16 if prefers else torch.float32
    assert load_weights("smollm2-135m").model.dtype == wanted
    assert load_weights("smollm2-135m", dtype="float32").model.dtype == torch.float32
