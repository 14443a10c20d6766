"""Tiny causal language models from scratch: a Llama of a few million weights and its own tokenizer.

Seeded, so the same settings always give the same model; trained ones are kept in the user's cache
under the hash of everything that made them.

The tokenizer splits text at blanks and punctuation and drops the blanks, so that a word is the same
tokens wherever it stands: a name at the start of a sentence can be copied to the end of another.
Words are byte pairs: frequent words are whole, invented names fall into pieces seen before.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.core.files import cache_dir, dump_json, folder_atomic, write_atomic

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

PAD, END, ASK, SAY = "<pad>", "<end>", "<ask>", "<say>"
"""Special tokens: filler, end of a text or answer, before a question, before its answer."""


@dataclass(frozen=True, slots=True)
class TinySpec:
    """Shape and seed of a tiny model."""

    vocabulary: int
    width: int = 192
    layers: int = 4
    heads: int = 6
    feedforward: int = 512
    context: int = 512
    seed: int = 0


def build_tiny(spec: TinySpec) -> LlamaForCausalLM:
    """A randomly initialised causal model, tied embeddings, float32, the same for the same spec.

    Raises:
        ValueError: the width doesn't divide into heads of even size.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    if spec.width % (2 * spec.heads):
        raise ValueError(f"width {spec.width} doesn't divide into {spec.heads} heads of even size")
    config = LlamaConfig(
        vocab_size=spec.vocabulary,
        hidden_size=spec.width,
        intermediate_size=spec.feedforward,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        num_key_value_heads=spec.heads,
        max_position_embeddings=spec.context,
        tie_word_embeddings=True,
        initializer_range=spec.width**-0.5,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return LlamaForCausalLM(config)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte pairs inside words, learned from the texts; the special tokens have ids 0 to 3.

    The same texts give the same tokenizer. Decoding writes a blank before every sign.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    unknown = "<unknown>"
    inner = Tokenizer(models.BPE(unk_token=unknown))
    # Every word and sign gets the mark of a beginning. (A prefix of continuing pieces would be
    # learned in the order of a hash table, which differs from process to process.)
    mark = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    inner.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[assignment]
        [pre_tokenizers.Whitespace(), mark]
    )
    inner.decoder = decoders.Metaspace(prepend_scheme="always")  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END, ASK, SAY, unknown],
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        eos_token=END,
        unk_token=unknown,
        additional_special_tokens=[ASK, SAY],
        clean_up_tokenization_spaces=False,
    )


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Short digest of plain settings, the same on every machine."""
    return hashlib.sha256(dump_json(settings).encode()).hexdigest()[:20]


def cached_tiny(
    settings: Mapping[str, Any], make: Callable[[Path], LlamaForCausalLM]
) -> LlamaForCausalLM:
    """The model that ``make`` trains, from the cache if these settings made one before.

    ``make`` gets a folder of its own for checkpoints, which outlives a killed process and goes once
    the model is stored. ``settings`` must name everything the weights depend on.

    Raises:
        DiskError: the cache can't be written.
    """
    from transformers import LlamaForCausalLM

    name = settings_hash(settings)
    folder, scratch = cache_dir("tiny") / name, cache_dir("tiny") / f"{name}.making"
    if not (folder / "settings.json").exists():
        scratch.mkdir(exist_ok=True)
        model = make(scratch)
        with folder_atomic(folder) as part, _no_bars():
            model.save_pretrained(part)
            write_atomic(part / "settings.json", dump_json(settings, indent=1))
    shutil.rmtree(scratch, ignore_errors=True)
    with _no_bars():
        stored: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(folder, dtype="float32")
        return stored


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without the library's own progress bars."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@dataclass(frozen=True, slots=True)
class Ranked:
    """How a model weighs candidate continuations of one prompt."""

    logprobs: tuple[float, ...]
    """Total natural log-probability of each candidate's tokens, the closing END included."""
    greedy: tuple[bool, ...]
    """Whether greedy decoding of the prompt writes exactly this candidate and ends."""


def rank_candidates(
    model: LlamaForCausalLM,
    prompts: Sequence[Sequence[int]],
    candidates: Sequence[Sequence[Sequence[int]]],
    *,
    batch_tokens: int = 8192,
) -> list[Ranked]:
    """Weigh each prompt's own candidates (token ids, without END) in one pass over the prompt.

    A prompt and all its candidates form one sequence: each candidate sees the prompt and itself,
    and its positions continue the prompt's. ``greedy`` is exact because greedy decoding writes a
    text if and only if each of its tokens is the most likely one after those before it.
    """
    order = sorted(range(len(prompts)), key=lambda i: (_length(prompts[i], candidates[i]), i))
    results: dict[int, Ranked] = {}
    while order:
        size = max(1, batch_tokens // _length(prompts[order[0]], candidates[order[0]]))
        batch = order[:size]
        while (
            len(batch) > 1
            and len(batch) * _length(prompts[batch[-1]], candidates[batch[-1]]) > 2 * batch_tokens
        ):
            batch = batch[: len(batch) // 2]
        order = order[len(batch) :]
        done = _rank_batch(model, [prompts[i] for i in batch], [candidates[i] for i in batch])
        results.update(zip(batch, done, strict=True))
    return [results[i] for i in range(len(prompts))]


def _length(prompt: Sequence[int], candidates: Sequence[Sequence[int]]) -> int:
    return len(prompt) + sum(map(len, candidates))


def _rank_batch(
    model: LlamaForCausalLM,
    prompts: Sequence[Sequence[int]],
    candidates: Sequence[Sequence[Sequence[int]]],
) -> list[Ranked]:
    import torch

    end = int(model.config.eos_token_id)  # type: ignore[arg-type]
    longest = max(map(_length, prompts, candidates))
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    positions = torch.zeros_like(ids)
    owner = torch.full_like(ids, -1)  # 0: prompt, k: k-th candidate, -1: filler
    for row, (prompt, options) in enumerate(zip(prompts, candidates, strict=True)):
        pieces = [prompt, *options]
        flat = [t for piece in pieces for t in piece]
        ids[row, : len(flat)] = torch.tensor(flat)
        owner[row, : len(flat)] = torch.tensor([k for k, p in enumerate(pieces) for _ in p])
        starts = [0] + [len(prompt)] * len(options)
        where = [s + i for s, p in zip(starts, pieces, strict=True) for i in range(len(p))]
        positions[row, : len(flat)] = torch.tensor(where)
    mask = _tree_mask(owner)
    with torch.inference_mode():
        hidden = model.model(
            input_ids=ids, position_ids=positions, attention_mask=mask, use_cache=False
        ).last_hidden_state
        return [
            _rank_row(model, hidden[row], len(prompt), options, end)
            for row, (prompt, options) in enumerate(zip(prompts, candidates, strict=True))
        ]


def _tree_mask(owner: torch.Tensor) -> torch.Tensor:
    """(rows, 1, length, length) additive mask: the prompt and one's own candidate, causally."""
    import torch

    length = owner.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool).tril()
    same = owner[:, :, None] == owner[:, None, :]
    seen = earlier & (same | (owner[:, None, :] == 0))
    mask = torch.zeros(seen.shape).masked_fill_(~seen, torch.finfo(torch.float32).min)
    return mask[:, None]


def _rank_row(
    model: LlamaForCausalLM,
    hidden: torch.Tensor,
    prompt: int,
    options: Sequence[Sequence[int]],
    end: int,
) -> Ranked:
    """Totals and greedy flags of one row; ``hidden`` is (length, width)."""
    import torch

    sources: list[int] = []  # position whose output predicts each target
    targets: list[int] = []
    groups: list[int] = []
    start = prompt
    for k, option in enumerate(options):
        sources += [prompt - 1, *range(start, start + len(option))]
        targets += [*option, end]
        groups += [k] * (len(option) + 1)
        start += len(option)
    logits = model.lm_head(hidden[sources]).float()
    wanted = torch.tensor(targets)
    logprobs = logits.log_softmax(-1).gather(1, wanted[:, None])[:, 0].double()
    group = torch.tensor(groups)
    totals = torch.zeros(len(options), dtype=torch.double).index_add_(0, group, logprobs)
    misses = torch.zeros(len(options)).index_add_(0, group, (logits.argmax(-1) != wanted).float())
    return Ranked(tuple(totals.tolist()), tuple((misses == 0).tolist()))
