import subprocess
import sys
import zipfile

import numpy as np
import pytest

from scrubjay.core import ModelError, Passage
from scrubjay.core.assets import sha256
from scrubjay.retrieval import Index, build_index, load_encoder
from scrubjay.retrieval.encoders import MINILM_WEIGHTS, minilm_folder, unpack

TEXTS = [
    "A jay hides acorns in the ground and finds them again.",
    "Birds store food for the winter.",
    "The central bank raised interest rates.",
    "short",
    "The parliament of the island meets twice a year " * 12,
]


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.mark.parametrize(("bfloat16", "cosine"), [(True, 0.99), (False, 0.99999)])
def test_vectors_are_those_of_the_reference(monkeypatch, bfloat16, cosine):
    from sentence_transformers import SentenceTransformer

    monkeypatch.setattr("scrubjay.retrieval.encoders.prefers_bfloat16", lambda: bfloat16)
    encoder = load_encoder()

    assert sha256(minilm_folder() / "model.safetensors") == MINILM_WEIGHTS
    reference = SentenceTransformer(str(minilm_folder()), device="cpu", local_files_only=True)
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    found = encoder.encode(TEXTS)
    assert found.dtype == np.float32
    assert found.shape == (len(TEXTS), encoder.dimensions) == (5, 384)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert (found * expected).sum(1).min() > cosine
    assert (found @ found.T)[0].argsort()[::-1][:2].tolist() == [0, 1]


def test_the_same_batch_gives_the_same_bits_and_order_is_kept(encoder):
    once = encoder.encode(TEXTS)
    assert np.array_equal(once, encoder.encode(TEXTS))
    assert np.array_equal(once[::-1], encoder.encode(TEXTS[::-1]))
    alone = np.concatenate([encoder.encode([text], query=True) for text in TEXTS])
    assert (alone * once).sum(1).min() > 0.999
    assert encoder.encode([]).shape == (0, 384)


def test_the_name_follows_the_weights_and_an_index_remembers_it(encoder, tmp_path):
    label, _, digest = encoder.name.partition("@")
    assert label == "all-minilm-l6-v2"
    assert load_encoder(minilm_folder()).name.partition("@")[2] == digest
    build_index(
        [Passage(str(i), text) for i, text in enumerate(TEXTS)], tmp_path / "i", encoder=encoder
    )
    opened = Index.open(tmp_path / "i")
    assert opened.encoder.name == opened.manifest.encoder == encoder.name
    assert opened.mode == "hybrid"


def test_an_encoder_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="can't load the encoder"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("member", ["../out.txt", "/out.txt", "a/../../out.txt", "..\\out.txt"])
def test_a_zip_can_not_write_outside_its_folder(tmp_path, member):
    archive = tmp_path / "bad.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("fine.txt", "x")
        file.writestr(member, "x")
    (tmp_path / "in").mkdir()
    with pytest.raises(ModelError, match="outside"):
        unpack(archive, tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_zip_is_unpacked_with_its_folders(tmp_path):
    archive = tmp_path / "good.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/b.txt", "x")
    unpack(archive, tmp_path)
    assert (tmp_path / "a" / "b.txt").read_text() == "x"
    (tmp_path / "not.zip").write_text("no")
    with pytest.raises(ModelError, match="not a zip"):
        unpack(tmp_path / "not.zip", tmp_path)


def test_the_room_is_cheap_to_import():
    code = (
        "import sys, scrubjay.retrieval, scrubjay.retrieval.index\n"
        "heavy = {'torch', 'lancedb', 'pyarrow', 'sentence_transformers', 'numpy', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "import scrubjay.retrieval as room\n"
        "assert all(getattr(room, name) for name in room.__all__)\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
