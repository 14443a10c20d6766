"""What a model's name means, and what importing costs."""

import asyncio
import subprocess
import sys

import pytest

from scrubjay.core import ModelError, UnknownName
from scrubjay.models import MODELS, EndpointModel, load_model
from scrubjay.models import load as loading


class Loaded:
    """Stands for whatever a loader makes: remembers what it was asked for."""

    def __init__(self, spec, dtype):
        self.spec, self.dtype = spec, dtype


@pytest.fixture
def local(monkeypatch):
    monkeypatch.setattr(loading, "_load_local", Loaded)


def test_names_ids_and_folders_reach_the_local_loader(local, tmp_path):
    assert "smollm2-135m" in MODELS
    for spec in ("smollm2-135m", "org/name", str(tmp_path)):
        made = load_model(spec, dtype="float32")
        assert (made.spec, made.dtype) == (spec, "float32")


def test_a_registered_name_loads_what_was_registered(monkeypatch):
    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    MODELS.register("mine")(lambda *, dtype: ("mine", dtype))
    assert load_model("mine", dtype="bfloat16") == ("mine", "bfloat16")


@pytest.mark.parametrize("spec", ["smolm2-135m", "gpt", "", "a/b/c"])
def test_an_unknown_name_lists_what_there_is(local, spec):
    with pytest.raises(
        UnknownName, match=r"there is no model .*known: .*endpoint:URL#name.*smollm2"
    ):
        load_model(spec)


def test_a_near_miss_is_recognised():
    with pytest.raises(UnknownName, match="did you mean 'smollm2-135m'"):
        load_model("smolm2-135m")


@pytest.mark.parametrize("spec", ["./nowhere", "/no/such/folder", "lost.gguf"])
def test_a_path_to_nothing_is_said_to_be_one(local, spec):
    with pytest.raises(ModelError, match=f"there is no model at {spec}: no such file or folder"):
        load_model(spec)


def test_endpoints_are_made_without_connecting(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRUBJAY_CACHE", str(tmp_path))
    model = load_model("endpoint:http://127.0.0.1:9/v1/#org/name#2", concurrency=3)
    assert isinstance(model, EndpointModel)
    assert model.name == "endpoint:http://127.0.0.1:9/v1#org/name#2"
    assert (tmp_path / "responses" / "responses.sqlite").exists()
    with pytest.raises(ModelError, match=r"nothing answers at http://127\.0\.0\.1:9/v1"):
        asyncio.run(model.check())


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("endpoint:http://host/v1", "needs an address and a model name"),
        ("endpoint:#m", "needs an address and a model name"),
        ("endpoint:host/v1#m", "is not an address"),
    ],
)
def test_a_malformed_endpoint_says_how_to_write_one(spec, sentence):
    with pytest.raises(ModelError, match=sentence):
        load_model(spec, cache=False)


def test_importing_models_loads_no_model_library():
    code = (
        "import sys, scrubjay.models, scrubjay.models.load, scrubjay.models.prompting\n"
        "print(sorted({'torch', 'transformers', 'httpx', 'jinja2', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError):
        _ = __import__("scrubjay.models").models.nothing
