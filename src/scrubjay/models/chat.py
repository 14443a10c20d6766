"""From a prompt to token ids, and from a continuation to the tokens that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scrubjay.core.errors import ModelError
from scrubjay.models.types import Message, Prompt

_TAIL = 16
"""Prompt tokens tokenised again with a continuation, to see whether the seam is clean."""


class Codec:
    """A tokenizer with its chat template, or a plain one where the model has none."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._known: dict[int, str] = {}
        self._anchor = self._encode("a")[:1]
        self._specials = sorted(tokenizer.all_special_tokens, key=lambda t: (-len(t), t))

    def prompt(self, prompt: Prompt) -> list[int]:
        """Token ids of a prompt: text with the tokenizer's own start token, messages as a chat.

        Raises:
            ModelError: the prompt is empty, or the model's chat template refuses the messages.
        """
        if isinstance(prompt, str):
            ids = self._encode(prompt, start=True)
        else:
            ids = self._chat(list(prompt))
        if not ids:
            raise ModelError("the prompt is empty: give the model at least one token to go on from")
        return ids

    def continuation(self, prompt: list[int], text: str) -> list[int]:
        """Tokens of ``text`` after the prompt's.

        The seam is tokenised jointly where that leaves the prompt's tokens as they are; otherwise
        the continuation stands on its own, because the prompt's tokens are what the model has read.
        """
        tail = prompt[-_TAIL:]
        joint = self._encode(self.text(tail) + text)
        if len(joint) > len(tail) and joint[: len(tail)] == tail:
            return joint[len(tail) :]
        return self._encode(text)

    def text(self, tokens: Sequence[int]) -> str:
        """Text of token ids, special tokens included."""
        decoded: str = self.tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
        return decoded

    def written(self, prompt: list[int], tokens: Sequence[int]) -> str:
        """What new tokens add to the prompt's text, without special tokens.

        Decoded after the prompt's last tokens, because some tokenizers drop the blank before a
        first word.
        """
        tail = prompt[-4:]
        before = self._plain(tail)
        whole = self._plain([*tail, *tokens])
        return whole[len(before) :] if whole.startswith(before) else self._plain(tokens)

    def pieces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        """The text each token adds; special tokens add none.

        A character that is cut between tokens belongs to its first.
        """
        out: list[str] = []
        open_: list[int] = []
        for token in tokens:
            piece = self._piece(token)
            if not open_ and "\ufffd" not in piece:
                out.append(piece)
                continue
            open_.append(token)
            whole = self._plain([*self._anchor, *open_])[len(self._plain(self._anchor)) :]
            out.append("")
            if "\ufffd" not in whole or len(open_) > 8:
                out[-len(open_)] = whole
                open_ = []
        if open_:
            out[-len(open_)] = whole
        return tuple(out)

    def _piece(self, token: int) -> str:
        """A token's text behind another one: some tokenizers drop the blank before a first word."""
        if token not in self._known:
            whole = self._plain([*self._anchor, token])
            self._known[token] = whole[len(self._plain(self._anchor)) :]
        return self._known[token]

    def _plain(self, tokens: Sequence[int]) -> str:
        decoded: str = self.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return decoded

    def _encode(self, text: str, *, start: bool = False, special: bool = True) -> list[int]:
        # Half a character (bytes of a command line that are no text) is nothing to a tokenizer.
        text = text.encode("utf-8", "replace").decode()
        ids: list[int] = self.tokenizer(
            text, add_special_tokens=start, split_special_tokens=not special
        )["input_ids"]
        end = self.tokenizer.eos_token_id
        if start and len(ids) > 1 and ids[-1] == end != self._last(text):
            ids = ids[:-1]  # tokenizers that close every text would leave nothing to continue
        return ids

    def _last(self, text: str) -> int | None:
        ids = self.tokenizer(text[-40:], add_special_tokens=False)["input_ids"]
        return ids[-1] if ids else None

    def _chat(self, messages: list[Message]) -> list[int]:
        if not messages:
            raise ModelError("the prompt has no messages")
        goes_on = messages[-1].role == "assistant"
        if self.tokenizer.chat_template is None:
            return self._encode(_plain_chat(messages, goes_on), start=True)
        try:
            text: str = self.tokenizer.apply_chat_template(
                [{"role": m.role, "content": m.content} for m in messages],
                tokenize=False,
                add_generation_prompt=not goes_on,
                continue_final_message=goes_on,
            )
        except Exception as error:  # templates are programs; each fails in its own way
            raise ModelError(f"the model's chat template refuses the messages: {error}") from error
        return self._encode_chat(text, messages)

    def _encode_chat(self, text: str, messages: list[Message]) -> list[int]:
        """Tokens of a rendered chat. A message that spells a control token stays plain text: it
        can't end its turn and speak as somebody else."""
        ids: list[int] = []
        for message in messages:
            if any(s in message.content for s in self._specials):
                before, found, after = text.partition(message.content)
                if found:
                    ids += self._encode(before) + self._encode(found, special=False)
                    text = after
        return ids + self._encode(text)


def _plain_chat(messages: list[Message], goes_on: bool) -> str:
    """A chat for models that were never taught one."""
    turns = [
        m.content if m.role == "system" else f"{m.role.title()}: {m.content}" for m in messages
    ]
    return "\n\n".join(turns) + ("" if goes_on else "\n\nAssistant:")
