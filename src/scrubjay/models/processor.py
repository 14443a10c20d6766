"""Which number format models compute in on this processor.

bfloat16 where it has instructions for that, with one exception: Intel's processors without tiles
(AMX; a virtual machine may hide them) know AVX-512's instruction for pairs of bfloat16, but
multiply by it more slowly than by the plain ones for float32. ``make bench ONLY=formats`` compares
the format taken here with the other.

The rule looks at what the processor is and times nothing, so that the same machine always computes
the same numbers.
"""

from __future__ import annotations


def prefers_bfloat16() -> bool:
    """Whether a model should compute in bfloat16 here rather than in float32."""
    import torch

    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    return has_tiles() or not str(torch.cpu.get_capabilities().get("cpu_name")).startswith("Intel")


def has_tiles() -> bool:
    """Whether the processor has tiles for matrices (AMX)."""
    import torch

    return torch.cpu._is_amx_tile_supported()
