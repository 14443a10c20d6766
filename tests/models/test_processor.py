"""Which number format a processor gets."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from scrubjay.models import processor  # noqa: E402


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
def test_bfloat16_unless_the_processor_lacks_it_or_is_slow_in_it(
    monkeypatch, name, instructions, tiles, bfloat16
):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: instructions)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": name})
    assert processor.prefers_bfloat16() is bfloat16
