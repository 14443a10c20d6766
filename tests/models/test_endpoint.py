"""Endpoints against llama.cpp's own server and against a server that misbehaves on purpose."""

import asyncio
import contextlib
import gzip
import json
import math
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay.core import ModelError, assets
from scrubjay.models.cache import ResponseCache, request_key
from scrubjay.models.endpoint import EndpointModel
from scrubjay.models.menu import menu, read_choice
from scrubjay.models.reply import Token, continuation, entropy
from scrubjay.models.retry import Patience, retry_after
from scrubjay.models.seam import transcript
from scrubjay.models.types import LanguageModel, Message
from scrubjay.models.wire import Wire

QUESTION = [Message("user", "What is the capital of France?")]
QUICK = Patience(attempts=4, seconds=20.0, connect=2.0, read=5.0)

# -- llama.cpp, a real server in its own process --------------------------------------------------

LLAMA = """
import sys, time, xllamacpp
p = xllamacpp.CommonParams()
p.model.path, p.port = sys.argv[1], int(sys.argv[2])
p.n_parallel, p.n_ctx, p.warmup, p.verbosity = 2, 1024, False, -1
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(p)
while sys.stdin.read(1):
    pass
"""


@pytest.fixture(scope="module")
def llama():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", LLAMA, str(assets.fetch(assets.SMOLLM2)), str(port)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):
            try:
                if urllib.request.urlopen(f"{url}/health", timeout=5).status == 200:
                    break
            except OSError:
                assert process.poll() is None, "llama.cpp's server died"
                time.sleep(0.05)
        yield f"{url}/v1"
    finally:
        process.kill()
        process.wait()


def direct(url, route, body):
    """What the server itself says, past everything of ours."""
    request = urllib.request.Request(
        url + route, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return json.load(urllib.request.urlopen(request, timeout=60))


def run(model, *calls):
    """Results of coroutine functions of the model, in one event loop; the model is closed."""

    async def main():
        try:
            return [await call(model) for call in calls]
        finally:
            await model.close()

    return asyncio.run(main())


def test_greedy_chat_equals_the_servers_own_reply(llama):
    body = {"messages": [{"role": "user", "content": QUESTION[0].content}]}
    said = direct(llama, "/chat/completions", {**body, "max_tokens": 8, "temperature": 0})
    model = EndpointModel(llama, "smollm2", cache=False)
    assert isinstance(model, LanguageModel)
    (done,) = run(model, lambda m: m.generate(QUESTION, max_tokens=8))
    assert done.text == said["choices"][0]["message"]["content"]
    assert (done.tokens_in, done.tokens_out) == (said["usage"]["prompt_tokens"], 8)
    assert done.finish == "length"
    assert len(done.tokens) == len(done.logprobs) == 8
    assert "".join(done.extra["pieces"]) == done.text
    assert all(value <= 0.0 for value in done.logprobs)


def test_text_prompts_stops_seeds_and_entropies(llama):
    prompt = "The capital of France is"
    said = direct(llama, "/completions", {"prompt": prompt, "max_tokens": 6, "temperature": 0})
    plain, cut, one, two, other = run(
        EndpointModel(llama, "smollm2", cache=False),
        lambda m: m.generate(prompt, max_tokens=6, want={"entropy"}),
        lambda m: m.generate(prompt, max_tokens=6, stop=("x1", "x2", "x3", "x4", "is")),
        lambda m: m.generate(prompt, max_tokens=6, temperature=2.0, seed=5),
        lambda m: m.generate(prompt, max_tokens=6, temperature=2.0, seed=5),
        lambda m: m.generate(prompt, max_tokens=6, temperature=2.0, seed=6),
    )
    assert plain.text == said["choices"][0]["text"]
    assert len(plain.entropies) == len(plain.tokens) == 6
    assert all(0.0 <= e <= math.log(49152) for e in plain.entropies)
    assert cut.text == " Par"
    assert cut.finish == "stop"
    assert len(cut.tokens) == 1
    assert one.text == two.text
    assert other.text != one.text


def test_begun_answers_go_on_without_repetition(llama):
    begun = [*QUESTION, Message("assistant", "The capital of")]
    (done,) = run(EndpointModel(llama, "x", cache=False), lambda m: m.generate(begun, max_tokens=4))
    assert done.text == " France is Paris."


def test_scores_equal_the_servers_next_token_probabilities(llama):
    prompt = "The capital of France is"

    def next_token(text, token):
        body = {"prompt": text, "max_tokens": 1, "temperature": 0, "logprobs": 2000}
        reply = direct(llama, "/completions", body)
        top = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        return next(t["logprob"] for t in top if t["token"] == token)

    model = EndpointModel(llama, "smollm2", cache=False)
    scored, choice, chat = run(
        model,
        lambda m: m.score(prompt, [" London", " New York", " Ulaanbaatar"]),
        lambda m: m.choose(prompt, ["London", "Paris", "New York"]),
        lambda m: m.choose([*QUESTION, Message("assistant", "Answer:")], [" Paris", " Berlin"]),
    )
    london, york, far = scored
    assert len(far.logprobs) == 5, "the tokenizer's own tokens, however unlikely"
    first = next_token(prompt, " U")
    assert far.logprobs[0] == pytest.approx(first, abs=0.02)
    assert london.logprobs == pytest.approx([next_token(prompt, " London")], abs=1e-3)
    expected = [next_token(prompt, " New"), next_token(prompt + " New", " York")]
    assert york.logprobs == pytest.approx(expected, abs=0.02)
    weights = [math.exp(london.mean), math.exp(next_token(prompt, " Paris")), math.exp(york.mean)]
    assert choice.option == "Paris"
    assert choice.probabilities == pytest.approx([w / sum(weights) for w in weights], abs=0.01)
    assert not choice.parsed
    assert choice.tokens_in > 0
    assert chat.option == " Paris"
    assert not chat.parsed


def test_concurrent_answers_are_each_their_own(llama):
    numbers = range(6)

    async def all_at_once(m):
        prompts = [f"Count: {n}, {n + 1}, {n + 2}," for n in numbers]
        return await asyncio.gather(*(m.generate(p, max_tokens=2) for p in prompts))

    (done,) = run(EndpointModel(llama, "smollm2", cache=False, concurrency=3), all_at_once)
    assert [d.text.strip().rstrip(",") for d in done] == [str(n + 3) for n in numbers]


def test_check_says_that_another_model_is_served(llama):
    with pytest.warns(UserWarning, match="'smollm2' but lists only .*smollm2-135m-instruct.gguf"):
        run(EndpointModel(llama, "smollm2", cache=False), lambda m: m.check())


def test_a_model_serves_two_event_loops(llama):
    model = EndpointModel(llama, "smollm2", cache=False)
    first, second = (asyncio.run(model.generate("1, 2, 3,", max_tokens=2)) for _ in range(2))
    assert first.text == second.text == " 4"


# -- a server that does what the test says ---------------------------------------------------------


class Scripted:
    """Answers each request with the next of ``script`` (the last one for ever); keeps requests."""

    def __init__(self, *script):
        self.script, self.seen, self.headers = list(script), [], []
        self.now = self.most = 0
        self.over = threading.Event()
        scripted, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else {}
                with lock:
                    scripted.seen.append((self.path, body))
                    scripted.headers.append(dict(self.headers))
                    scripted.now += 1
                    scripted.most = max(scripted.most, scripted.now)
                    step = scripted.script.pop(0) if len(scripted.script) > 1 else script[-1]
                step(self, body)
                with lock:
                    scripted.now -= 1

            do_GET = do_POST = handle_one

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.scripted = self
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def send(status, value, **headers):
    def step(handler, _):
        raw = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        handler.send_response(status)
        for name, content in headers.items():
            handler.send_header(name.replace("_", "-"), content)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    return step


def chat(text="fine", **more):
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop", **more}]}


def refuse(message, status=400):
    return send(status, {"error": {"message": message}})


def stall(handler, _):
    handler.server.scripted.over.wait(20)


def half(handler, _):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')


def half_and_stall(handler, body):
    half(handler, body)
    stall(handler, body)


def reset(handler, _):
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


OK = send(200, chat())


def ask(server, *, cache=False, patience=QUICK, key=None, call=None):
    """One chat through a wire that doesn't really wait: result or error, and the waits."""
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    wire = Wire(server.url, key=key, patience=patience, sleep=sleep)
    model = EndpointModel(server.url, "m", cache=cache, wire=wire)
    try:
        (result,) = run(model, call or (lambda m: m.generate(QUESTION, max_tokens=5)))
    except ModelError as error:
        result = str(error)
        assert "\n" not in result
    return result, waits


def test_retry_after_in_seconds_and_as_a_date():
    later = formatdate(time.time() + 9, usegmt=True)
    busy = send(429, {"error": {"message": "slow down"}}, Retry_After="3")
    dated = send(503, "loading", Retry_After=later)
    with Scripted(busy, dated, OK) as server:
        result, waits = ask(server)
    assert result.text == "fine"
    assert len(server.seen) == 3
    assert waits[0] == 3.0
    assert 6.0 <= waits[1] <= 9.0


@pytest.mark.parametrize("failure", [send(500, "x"), send(502, ""), send(504, {}), half, reset])
def test_failures_that_pass_are_tried_again(failure):
    with Scripted(failure, failure, OK) as server:
        result, waits = ask(server)
    assert result.text == "fine"
    assert len(server.seen) == 3
    assert 0.25 <= waits[0] < 0.5 <= waits[1] < 1.0


def test_a_server_that_stays_busy_is_given_up():
    with Scripted(send(503, {"error": {"message": "overloaded"}})) as server:
        result, waits = ask(server)
    assert result == (
        f"the server at {server.url} is busy or failing (status 503: overloaded); gave up after "
        "4 attempts"
    )
    assert len(server.seen) == 4
    assert len(waits) == 3


def test_a_wish_to_wait_longer_than_our_patience_ends_at_once():
    with Scripted(send(429, "", Retry_After="3600")) as server:
        result, waits = ask(server)
    assert "asks to wait 3600 s; gave up after 1 attempt" in result
    assert len(server.seen) == 1
    assert waits == []


@pytest.mark.parametrize("fault", [stall, half_and_stall])
def test_a_server_that_stalls_is_given_up(fault):
    with Scripted(fault) as server:
        patience = Patience(attempts=2, seconds=5.0, connect=1.0, read=0.2)
        result, _ = ask(server, patience=patience)
    assert "gave no answer within 0.2 s (SCRUBJAY_PATIENCE sets how long to wait)" in result
    assert "gave up after 2 attempts" in result
    assert len(server.seen) == 2


def test_a_server_that_works_off_a_queue_is_not_silent():
    """Five requests of 0.15 s each, one after another: the last waits longer than a silence may."""
    turn = threading.Lock()

    def slow(handler, body):
        with turn:
            handler.server.scripted.over.wait(0.15)
        OK(handler, body)

    async def many(m):
        return await asyncio.gather(*(m.generate(QUESTION, max_tokens=n) for n in range(1, 6)))

    with Scripted(slow) as server:
        patience = Patience(attempts=1, seconds=5.0, read=0.4)
        result, _ = ask(server, patience=patience, call=many)
    assert [r.text for r in result] == ["fine"] * 5
    assert len(server.seen) == 5


def test_a_server_that_stalls_after_good_answers_is_given_up_soon():
    with Scripted(OK, OK, stall) as server:
        patience = Patience(attempts=6, seconds=30.0, read=0.2)

        async def three(m):
            return [await m.generate(QUESTION, max_tokens=n) for n in (1, 2, 3)]

        began = time.monotonic()
        result, _ = ask(server, patience=patience, call=three)
    assert "gave up after 2 attempts" in result, "a silent server isn't asked six times"
    assert time.monotonic() - began < 5.0


def test_patience_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("SCRUBJAY_PATIENCE", "6")
    with Scripted(OK) as server:
        patience = Wire(server.url).patience
        assert (patience.read, patience.seconds, patience.attempts) == (6.0, 30.0, 6)
        for wrong in ("soon", "0", "nan", "-1"):
            monkeypatch.setenv("SCRUBJAY_PATIENCE", wrong)
            with pytest.raises(ModelError, match="no number of seconds"):
                Wire(server.url)
        with pytest.raises(ModelError, match="characters that no API key has"):
            Wire(server.url, key="schlüssel\n", patience=QUICK)


def test_a_limit_per_minute_is_waited_out_without_being_told_how_long():
    with Scripted(*[refuse("too many", 429)] * 7, OK) as server:
        # Four attempts at anything else.
        result, waits = ask(server, patience=Patience(attempts=4, seconds=300.0))
    assert result.text == "fine"
    assert len(waits) == 7


def plain(raw, status=200, **headers):
    """Bytes as they are."""

    def step(handler, _):
        handler.send_response(status)
        for name, content in headers.items():
            handler.send_header(name.replace("_", "-"), content)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(raw)

    return step


def flood(handler, _):
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(1000):
            handler.wfile.write(b" " * 1_000_000)


BOMB = gzip.compress(b" " * 100_000_000)


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (flood, "sends more than 32 MB for one answer"),
        (plain(BOMB, Content_Encoding="gzip"), "sends more than 32 MB for one answer"),
        (plain(b"no gzip", Content_Encoding="gzip"), "broke the connection"),
        (plain(b"<a>", Content_Type="x; charset=base64"), "doesn't answer in JSON but with '<a>'"),
        (plain(b"<a>", 500, Content_Type="x; charset=utf-16"), "(status 500: <a>)"),
        (plain(b'{"choices": [{"text": "\xff"}]}'), "cut off or damaged"),
        (plain(b'{"a":' * 100_000), "cut off or damaged"),
        (plain(b'{"choices": [{"text": "a"}], "usage": {"prompt_tokens": 1e999}}'), "OpenAI form"),
        (send(200, {"choices": [None]}), "OpenAI form"),
        (send(200, {"choices": {"a": 1}}), "OpenAI form"),
        (send(200, {"choices": [{"text": ["x"]}]}), "OpenAI form"),
        (send(302, "", Location="http://["), "redirects to http://[;"),
        (refuse("\x9b2J\u202eup\x1b[2J\ud800 \x07down"), "(status 400): 2J up [2J? down"),
        (send(429, "", Retry_After="9" * 400), "asks to wait inf s; gave up after 1 attempt"),
        (send(429, "", Retry_After="Fri, 31 Dec 9999 23:59:59 -2359"), "asks to wait 2"),
        (send(418, "tea"), "(status 418): tea"),
    ],
)  # fmt: skip
def test_garbage_is_one_printable_sentence(step, sentence):
    with Scripted(step) as server:
        result, _ = ask(server)
    assert sentence in result
    assert result.isprintable()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e9", '"x"', "null", "[1]"])
def test_log_probabilities_that_are_none_are_as_good_as_missing(value):
    token = f'{{"token": "a", "id": "q", "logprob": {value}, "top_logprobs": [{{"logprob": {value}'
    body = f'{{"choices": [{{"text": "a", "logprobs": {{"content": [{token}}}]}}]}}}}]}}'
    with Scripted(plain(body.encode())) as server:
        result, _ = ask(server)
        assert (result.text, result.logprobs, result.tokens) == ("a", (), ())
        result, _ = ask(server, call=lambda m: m.generate("a", max_tokens=1, want={"entropy"}))
        assert "gives no log-probabilities, so no entropies" in result


def test_text_that_no_file_or_terminal_takes_is_replaced():
    token = {"token": "a", "logprob": -1, "bytes": 10**12}
    choice = {"text": "a\ud800b", "logprobs": {"content": [token]}}
    with Scripted(send(200, {"choices": [choice]})) as server:
        result, _ = ask(server)
        assert result.text == "a?b"
        ask(server, call=lambda m: m.generate("a\udce9b", max_tokens=1))
    assert server.seen[-1][1]["prompt"] == "a?b", "and none is sent"


def test_null_for_a_text_is_said_once_and_not_kept(tmp_path):
    with Scripted(send(200, chat(None)), send(200, chat(None)), OK) as server:
        model = EndpointModel(server.url, "m", cache=ResponseCache(tmp_path / "r.sqlite"))
        with pytest.warns(UserWarning, match="sends null instead of a text") as told:
            done = run(model, *[lambda m: m.generate(QUESTION, max_tokens=5)] * 3)
    assert [d.text for d in done] == ["", "", "fine"]
    assert len(told) == 1


def test_a_page_in_the_middle_is_tried_again():
    with Scripted(OK, send(200, "<html>gateway</html>"), send(200, ""), OK) as server:

        async def twice(m):
            return [await m.generate(QUESTION, max_tokens=n) for n in (1, 2)]

        result, waits = ask(server, call=twice)
    assert [r.text for r in result] == ["fine", "fine"]
    assert len(waits) == 2


def test_a_missing_route_in_the_middle_is_no_reason_to_go_on_otherwise():
    with Scripted(send(200, {"choices": [{"text": "x"}]}), refuse("gone", 404)) as server:

        async def twice(m):
            return [await m.generate("Say", max_tokens=n) for n in (1, 2)]

        result, _ = ask(server, call=twice)
    assert "status 404): gone" in result
    assert all(path == "/v1/completions" for path, _ in server.seen)


def test_a_server_that_dies_while_its_abilities_are_found_out_has_not_none():
    with Scripted(refuse("no echo"), refuse("slow down", 429)) as server:
        result, _ = ask(server, call=lambda m: m.choose("x", ["a", "b"]))
        assert "slow down" in result, "not: it has no log-probabilities, so the choice is read"


def test_a_server_that_trickles_is_bounded_by_total_patience():
    def trickle(handler, _):
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.scripted.over.wait(0.02):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    with Scripted(trickle) as server:
        result, _ = ask(server, patience=Patience(seconds=0.5, read=5.0))
    assert "gave no answer" in result


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (
            send(401, {"error": {"message": "bad key sk-secret"}}),
            "refuses the API key (status 401)",
        ),
        (send(403, "no"), "refuses the API key (status 403)"),
        (send(200, "<html>log in</html>"), "doesn't answer in JSON but with '<html>log in</html>'"),
        (send(200, "[1, 2]"), "JSON that is no object"),
        (send(200, {"choices": []}), "sent an answer without any choice"),
        (send(200, {"hello": 1}), "isn't in the OpenAI form"),
        (send(200, {"choices": [{"message": "x"}]}), "isn't in the OpenAI form"),
        (refuse("context of 64 tokens exceeded"), "(status 400): context of 64 tokens exceeded"),
        (refuse("the key sk-secret\nis odd"), "the key … is odd"),
        (
            send(302, "", Location="https://elsewhere/v1?token=1"),
            "redirects to https://elsewhere/v1;",
        ),
        (send(200, {"error": {"message": "upstream died"}}), "reports: upstream died"),
        (send(429, {"error": {"code": "insufficient_quota", "message": "pay"}}), "429): pay"),
    ],
)
def test_what_will_not_pass_is_said_at_once(step, sentence):
    with Scripted(step) as server:
        result, waits = ask(server, key="sk-secret")
    assert sentence in result
    assert "sk-secret" not in result
    assert len(server.seen) == 1
    assert waits == []


def test_half_an_object_is_tried_again():
    with Scripted(send(200, '{"choices": [{"mess'), OK) as server:
        result, _ = ask(server)
    assert result.text == "fine"
    assert len(server.seen) == 2


def test_404_names_the_models_that_are_served():
    gone, listed = refuse("no such", 404), send(200, {"data": [{"id": "a"}, {"id": "b"}]})
    with Scripted(gone, listed) as server:
        result, _ = ask(server)
    assert result == f"the server at {server.url} has no model 'm'; it serves a, b"
    with Scripted(gone) as server:
        result, _ = ask(server)
    assert "either there is no model 'm' or the address is wrong" in result


def test_a_dead_endpoint_names_its_address():
    with Scripted(OK) as server:
        pass
    result, waits = ask(server, call=lambda m: m.check())
    assert f"nothing answers at {server.url}" in result
    assert waits == []


def test_a_server_that_goes_away_in_the_middle_gets_patience():
    with Scripted(OK) as server:
        waits = []

        async def sleep(seconds):
            waits.append(seconds)

        async def main():
            wire = Wire(server.url, patience=QUICK, sleep=sleep)
            model = EndpointModel(server.url, "m", cache=False, wire=wire)
            await model.generate(QUESTION, max_tokens=2)
            server.__exit__()
            with pytest.raises(ModelError, match=r"went away .*; gave up after 4 attempts"):
                await model.generate(QUESTION, max_tokens=3)
            await model.close()

        asyncio.run(main())
        server.__exit__ = lambda *_: None
    assert len(waits) >= 3


def test_the_key_comes_from_the_environment_and_stays_out_of_sight(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("SCRUBJAY_API_KEY", "sk-secret")
    cache = ResponseCache(tmp_path / "r.sqlite")
    with Scripted(OK) as server:
        model = EndpointModel(server.url, "m", cache=cache)
        run(model, lambda m: m.generate(QUESTION, max_tokens=5))
    assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    assert "sk-" not in model.name
    assert b"sk-secret" not in b"".join(p.read_bytes() for p in tmp_path.iterdir())


def test_at_most_so_many_requests_at_once():
    def slow(handler, body):
        handler.server.scripted.over.wait(0.05)
        OK(handler, body)

    async def many(m):
        return await asyncio.gather(*(m.generate(QUESTION, max_tokens=n) for n in range(1, 13)))

    with Scripted(slow) as server:
        (done,) = run(EndpointModel(server.url, "m", cache=False, concurrency=3), many)
    assert len(done) == 12
    assert server.most == 3


def test_a_refused_field_is_left_out_visibly_and_remembered():
    def picky(handler, body):
        for field in ("top_logprobs", "logprobs", "max_tokens", "continue_final_message"):
            if field in body:
                hint = "; use 'max_completion_tokens'" if field == "max_tokens" else ""
                return refuse(f"Unsupported parameter: '{field}'{hint}")(handler, body)
        return OK(handler, body)

    begun = [*QUESTION, Message("assistant", "It")]
    with Scripted(picky) as server:
        model = EndpointModel(server.url, "m", cache=False)
        with pytest.warns(UserWarning, match="refuses") as told:
            first, again = run(model, *[lambda m: m.generate(begun, max_tokens=7)] * 2)
    assert [str(w.message).split("'")[1] for w in told] == ["logprobs", "continue_final_message"]
    assert set(first.extra["refused"]) == {"logprobs", "max_tokens", "continue_final_message"}
    assert first.logprobs == ()
    assert again == first
    assert len(server.seen) == 5
    assert server.seen[-1][1]["max_completion_tokens"] == 7


def test_want_that_an_endpoint_cannot_give():
    with Scripted(OK) as server:
        result, _ = ask(server, call=lambda m: m.generate("a", max_tokens=1, want={"hidden"}))
        assert "an endpoint gives no hidden; use a local model" in result
        assert server.seen == []
        result, _ = ask(server, call=lambda m: m.generate(QUESTION, max_tokens=1, want={"entropy"}))
        assert "gives no log-probabilities, so no entropies either" in result


def test_text_prompts_become_a_chat_where_there_are_no_completions():
    def chat_only(handler, body):
        (OK if handler.path == "/v1/chat/completions" else refuse("not found", 404))(handler, body)

    with Scripted(chat_only) as server:
        model = EndpointModel(server.url, "m", cache=False)
        with pytest.warns(UserWarning, match="has no /completions"):
            one, two = run(model, *[lambda m: m.generate("Say", max_tokens=7)] * 2)
    assert one.extra["route"] == two.extra["route"] == "chat"
    assert [path for path, _ in server.seen] == [
        "/v1/completions",
        "/v1/chat/completions",
        "/v1/chat/completions",
    ]
    assert server.seen[-1][1]["messages"] == [{"role": "user", "content": "Say"}]


# -- scoring by echo: a server whose probabilities are known --------------------------------------


def letters(handler, body):
    """An echoing server in the manner of vLLM: one token a character after a mark <s>, whose
    log-probability is minus its alphabet position; one more token is generated."""
    if not handler.path.endswith("/completions") or "prompt" not in body:
        return refuse("no", 404)(handler, body)
    tokens = ["<s>", *body["prompt"], "!"]
    values = [None, *(-float(ord(c) % 32) for c in tokens[1:])]
    logprobs = {"tokens": tokens, "token_logprobs": values, "top_logprobs": None}
    choice = {"text": "".join(tokens), "logprobs": logprobs, "finish_reason": "length"}
    usage = {"prompt_tokens": len(tokens) - 1, "completion_tokens": 1}
    return send(200, {"choices": [choice], "usage": usage})(handler, body)


def test_echoed_scores_are_the_servers_numbers():
    with Scripted(letters) as server:
        model = EndpointModel(server.url, "m", cache=False)
        scored, choice, talk = run(
            model,
            lambda m: m.score("xy", ["ab", "cab"]),
            lambda m: m.choose("xy ", ["bb", "abc", "ad"]),
            lambda m: m.score(QUESTION, ["ab"]),
        )
    assert [s.logprobs for s in scored] == [(-1.0, -2.0), (-3.0, -1.0, -2.0)]
    weights = [math.exp(-2.0), math.exp(-2.0), math.exp(-2.5)]
    assert choice.index == 0
    assert choice.probabilities == pytest.approx([w / sum(weights) for w in weights])
    assert not choice.parsed
    assert choice.tokens_in == sum(1 + len("xy ") + len(o) for o in ("bb", "abc", "ad"))
    assert talk[0].logprobs == (-1.0, -2.0)
    assert len(server.seen) == 1 + 2 + 3 + 1, "one probe, then one request a text"
    assert server.seen[-1][1]["prompt"] == transcript(QUESTION) + "ab"


def test_without_log_probabilities_score_is_an_error_and_choose_reads():
    def words(handler, body):
        if "prompt" in body or "grammar" in body:
            return refuse("unknown parameter")(handler, body)
        return send(200, chat("I take 2, the river."))(handler, body)

    with Scripted(words) as server:
        model = EndpointModel(server.url, "m", cache=False)
        with pytest.warns(UserWarning, match="choices are read"):
            choices = run(model, *[lambda m: m.choose("Which?", ["a hill", "the river"])] * 2)
        with pytest.warns(UserWarning, match="choices are read"):
            result, _ = ask(server, call=lambda m: m.score("x", ["y"]))
        with pytest.raises(ModelError, match="nothing to choose from"):
            run(model, lambda m: m.choose("x", []))
    assert "gives no log-probabilities of given text" in result
    for choice in choices:
        assert (choice.index, choice.option, choice.parsed) == (1, "the river", True)
        assert choice.probabilities == (0.0, 1.0)
    assert [path for path, _ in server.seen[:4]] == [
        "/v1/completions",
        "/tokenize",
        "/v1/chat/completions",
        "/v1/chat/completions",
    ], "two probes, once"


def test_tokens_over_the_border_and_split_characters():
    def tokens(*pieces):
        return [Token(p if isinstance(p, bytes) else p.encode(), -float(i)) for i, p in pieces]

    two = tokens((1, "in"), (2, " Z"), (3, b"\xc3"), (4, b"\xbc"), (5, "!"))
    assert continuation(two, "in ", "Zü") == (-2.0, -3.0, -4.0)
    assert continuation(two, "in", " Z") == (-2.0,)
    assert continuation(two, "", "elsewhere") is None
    assert continuation([Token(b"a", None)], "", "a") is None


def test_entropy_of_a_known_distribution():
    assert entropy([math.log(0.5), math.log(0.25), math.log(0.25)]) == pytest.approx(
        1.5 * math.log(2)
    )
    assert entropy([math.log(0.5)]) == pytest.approx(math.log(2)), "the rest counts as one token"
    assert entropy([0.0]) == 0.0


# -- choices read from text -----------------------------------------------------------------------

OPTIONS = ["New York", "York", "Paris, France", "2"]


@pytest.mark.parametrize(
    ("reply", "index"),
    [
        ("2", 3),
        ("1.", 0),
        ("[3] Paris", 2),
        ("york", 1),
        ("It must be New York, of course", 0),
        ("paris france", 2),
        ("The answer is option 3", 2),
        ("somewhere in France", 2),
        ("99", 0),
        ("", 0),
    ],
)
def test_a_reply_means_an_option(reply, index):
    assert read_choice(reply, OPTIONS) == index


@given(st.text(max_size=80), st.lists(st.text(max_size=12), min_size=1, max_size=6))
def test_any_reply_means_some_option(reply, options):
    assert 0 <= read_choice(reply, options) < len(options)


@given(st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=1, unique=True, max_size=9))
def test_an_option_repeated_or_numbered_is_that_option(options):
    for i, option in enumerate(options):
        assert read_choice(f" {option.upper()}.\n", options) == i
        assert read_choice(f"{i + 1}) because", options) == i


def test_the_menu_keeps_the_chat_and_numbers_the_options():
    begun = [Message("system", "Be brief."), *QUESTION, Message("assistant", "Answer:")]
    first, second = menu(begun, [" Paris", " Rome"])
    assert first == begun[0]
    assert second.role == "user"
    assert second.content.startswith(
        QUESTION[0].content + "\nAnswer:\n\nOptions:\n1. Paris\n2. Rome"
    )


# -- the cache ------------------------------------------------------------------------------------


def test_only_successes_are_kept_and_requests_are_told_apart(tmp_path):
    cache = ResponseCache(tmp_path / "r.sqlite")
    with Scripted(send(400, "no"), OK, send(200, chat("other"))) as server:

        async def main():
            model = EndpointModel(server.url, "m", cache=cache)
            with pytest.raises(ModelError):
                await model.generate(QUESTION, max_tokens=5)
            first = await model.generate(QUESTION, max_tokens=5)
            again = await model.generate(QUESTION, max_tokens=5, seed=7)
            assert again == first, "greedy: the seed doesn't matter"
            await model.generate(QUESTION, max_tokens=5, temperature=1.0, seed=1)
            await model.generate(QUESTION, max_tokens=5, temperature=1.0, seed=1)
            await model.generate(QUESTION, max_tokens=5, temperature=1.0, seed=2)

        asyncio.run(main())
        assert len(server.seen) == 4
    offline = EndpointModel(server.url, "m", cache=ResponseCache(cache.path))
    (kept,) = run(offline, lambda m: m.generate(QUESTION, max_tokens=5))
    assert kept.text == "fine", "the server is gone"
    other = EndpointModel(server.url, "n", cache=ResponseCache(cache.path))
    with pytest.raises(ModelError, match="nothing answers"):
        run(other, lambda m: m.generate(QUESTION, max_tokens=5))


def test_check_asks_the_server_even_when_the_answer_is_kept(tmp_path):
    with Scripted(OK) as server:
        cache = ResponseCache(tmp_path / "r.sqlite")
        run(EndpointModel(server.url, "m", cache=cache), lambda m: m.check(), lambda m: m.check())
        assert len([1 for path, _ in server.seen if path.endswith("/chat/completions")]) == 2


def test_a_damaged_cache_is_started_anew(tmp_path):
    path = tmp_path / "r.sqlite"
    path.write_bytes(b"this is no database at all, whatever its name says" * 100)
    with pytest.warns(UserWarning, match=r"r\.sqlite is damaged .*; starting a new one"):
        cache = ResponseCache(path)
    cache.put("a", {"x": [1, "ü"]})
    assert ResponseCache(path).get("a") == {"x": [1, "ü"]}


def test_a_cache_that_cannot_be_used_is_gone_without(tmp_path):
    path = tmp_path / "r.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE responses (other TEXT)")
    with pytest.warns(UserWarning, match="can't be used"):
        cache = ResponseCache(path)
    cache.put("a", 1)
    assert cache.get("a") is None


def test_processes_share_a_cache(tmp_path):
    path = tmp_path / "r.sqlite"
    code = (
        "import sys; from scrubjay.models.cache import ResponseCache\n"
        "c = ResponseCache(sys.argv[1])\n"
        "for i in range(150): c.put(f'{sys.argv[2]}-{i}', i)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, path, w]) for w in "abc"]
    assert [w.wait() for w in writers] == [0, 0, 0]
    cache = ResponseCache(path)
    assert all(cache.get(f"{w}-{i}") == i for w in "abc" for i in range(150))


@pytest.mark.parametrize("lock", ["DEFERRED", "IMMEDIATE", "EXCLUSIVE"])
def test_opening_waits_for_a_process_that_writes(tmp_path, lock):
    path = tmp_path / "r.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE other (x)")
    other.execute(f"BEGIN {lock}")
    other.execute("SELECT x FROM other").fetchall()
    done = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    done.start()
    cache = ResponseCache(path)
    cache.put("a", 1)
    done.join()
    other.close()
    assert cache.get("a") == 1


def test_keys_depend_on_every_part():
    parts = [("u", "r", {"a": 1, "b": 2}), ("u", "r", {"a": 1, "b": 3}), ("v", "r", {"a": 1})]
    assert len({request_key(*p) for p in parts}) == 3
    assert request_key("u", {"a": 1, "b": 2}) == request_key("u", {"b": 2, "a": 1})


# -- small things ---------------------------------------------------------------------------------


def test_retry_after_headers():
    assert retry_after("120", 0.0) == 120.0
    assert retry_after("Thu, 01 Jan 1970 00:02:00 GMT", 100.0) == 20.0
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT", 100.0) == 0.0
    assert retry_after("soon", 0.0) is retry_after(None, 0.0) is None


@given(st.integers(0, 60), st.text(max_size=5))
def test_waits_grow_to_a_bound_and_repeat(attempt, key):
    patience = Patience(first=0.5, longest=30.0)
    full = min(30.0, 0.5 * 2.0**attempt)
    wait = patience.wait(attempt, key)
    assert full / 2 <= wait < full
    assert wait == patience.wait(attempt, key)
    assert patience.wait(attempt, key, asked=77.0) == 77.0


def test_settings_out_of_range():
    with Scripted(OK) as server:
        for wrong in ({"max_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}):
            settings = {"max_tokens": 1, **wrong}
            result, _ = ask(server, call=lambda m, s=settings: m.generate("x", **s))
            assert "must be at least 1" in result
        assert server.seen == []


@pytest.mark.parametrize("url", ["localhost:80", "ftp://x/v1", "http://", "http://h:port/v1"])
def test_what_is_no_address(url):
    with pytest.raises(ModelError, match="is not an address"):
        Wire(url)


def test_an_address_may_not_hold_a_password_nor_show_its_query():
    with pytest.raises(ModelError, match="SCRUBJAY_API_KEY"):
        Wire("http://me:pw@host/v1")
    assert Wire("http://host/v1/?api-key=secret").url == "http://host/v1"


def test_no_warnings_on_the_ordinary_way():
    with Scripted(OK) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(server)
