"""The page on this machine: what it answers to whom, what it refuses, and that nobody else can ask."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import struct
import zlib

import explored
import numpy as np
import pytest
from PIL import Image

from minialex import data, explore
from minialex.data.pipeline import Pipeline
from minialex.explore import describe, serving

SHAPE = (3, 6, 6)


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(1)
    layers = [explored.nn.Conv2d(3, 4, 3), explored.nn.ReLU(inplace=True)]
    return explored.filled(explored.classifier(SHAPE, *layers)[0], rng)


@pytest.fixture(scope="module")
def server(network):
    """A Server of a network that its page does not compute, with one picture, and two of a data set."""
    rng = np.random.default_rng(2)
    of_data = [explored.picture(SHAPE, rng, f"test image {n}", n) for n in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minialex.explore.describing.LARGEST", 0)
        patch.setattr("minialex.explore.describing.CARRIED", 10)
        reading = explore.Reading(8, data.Normalize(rng.uniform(90, 150, (3, 8, 8)), 50), "BGR")
        first = [explored.picture(SHAPE, rng, "first", 3)]
        answers = explored.answers(network, first, of_data.__getitem__, 2, reading=reading)
    with explored.served(answers) as server:
        yield server


def requested(server, path=None, method="GET", body=None, **headers):
    """(status, headers, body) of a request; path: behind the token, or the whole one where it begins with /."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    path = path if path is not None and path.startswith("/") else f"/{server.token}/{path or ''}"
    skip = "Host" in headers
    connection.putrequest(method, path, skip_host=skip)
    if body is not None:
        headers.setdefault("Content_Length", str(len(body)))
    for name, value in headers.items():
        if value is not None:
            connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(body)
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


def asked(server, **question):
    """(status, answer) of a question."""
    status, headers, body = requested(server, "ask", "POST", json.dumps(question).encode())
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(body)


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_the_page_is_there_for_who_knows_the_token(server):
    status, headers, body = requested(server)
    assert status == 200 and body.startswith(b"<!DOCTYPE html>") and b"connect-src 'self'" in body
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff" and "frame-ancestors 'none'" in headers.values()
    assert server.address == f"http://127.0.0.1:{server.server_port}/{server.token}/" and len(server.token) >= 43


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_is_there_for_anyone_else(server, method):
    token = server.token
    wrong = ["/", "/ask", f"/{token}", f"/{token[:-1]}/", f"/{token}x/", f"/{token.swapcase()}/ask", f"/x{token}/ask"]
    for path in (*wrong, f"/{token}/../{token}/", f"/{token}/ask/", f"/{token}/?x", f"//{token}/ask/..", "/%00"):
        status, _, body = requested(server, path, method, b"{}" if method == "POST" else None)
        assert status == 404 and token.encode() not in body, path
    assert requested(server, "/" + "x" * 70_000)[0] == 414


@pytest.mark.parametrize("line", [b"GET /\xc3\xa9 HTTP/1.1", b"GET", b"\x16\x03\x01\x02", b"DELETE /x HTTP/1.1", b""])
def test_what_is_no_request_of_ours_gets_nothing(server, line):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as raw:
        raw.sendall(line + b"\r\n\r\n")
        raw.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert b" 200 " not in answer and server.token.encode() not in answer


@pytest.mark.parametrize("path", ["../../etc/passwd", "..%2f..%2fetc/passwd", "explorer.js", "%2e%2e/serving.py"])
def test_no_path_names_a_file(server, path):
    assert requested(server, path)[0] == 404


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1", "localhost:{port}", "example.org:{port}", "", None])
def test_another_host_is_refused(server, host):
    """As of a name that has been made to lead to 127.0.0.1: the browser still says whose page it is."""
    given = host and host.format(port=server.server_port)
    for path, method in (("", "GET"), ("ask", "POST")):
        assert requested(server, path, method, b"{}" if method == "POST" else None, Host=given)[0] == 404


def test_another_origin_is_refused(server):
    question = json.dumps({"do": "show", "picture": 0}).encode()
    for origin in ("http://example.org", "null", "http://127.0.0.1"):
        assert requested(server, "ask", "POST", question, Origin=origin)[0] == 404
    own = f"http://127.0.0.1:{server.server_port}"
    assert requested(server, "ask", "POST", question, Origin=own)[0] == 200


def test_only_this_machine_reaches_it(server):
    assert server.socket.getsockname()[0] == "127.0.0.1" and server.socket.family == socket.AF_INET
    for address in ("127.0.0.2", socket.gethostbyname(socket.gethostname())):
        if address != "127.0.0.1":
            with pytest.raises(OSError, match="refused|unreachable"):
                socket.create_connection((address, server.server_port), timeout=2).close()


@pytest.mark.parametrize("length", [str(serving.LONGEST + 1), "9" * 30, "9" * 5000, "-1", "x", "+1", "1_0", "²", None])
def test_a_body_without_a_plausible_length_is_not_read(server, length):
    given = length and length.encode("utf-8").decode("latin-1")
    status, _, body = requested(server, "ask", "POST", b"", Content_Length=given)
    assert status == 413 and json.loads(body) == {"error": "a question has at most 32 MB"}


MALFORMED = {
    b"": "the question is not JSON",
    b"{": "the question is not JSON",
    b"\xff\xfe": "the question is not JSON",
    b"[1]": "a question is an object of JSON",
    b"[" * 100_000: "the question is not JSON that can be read: it is nested too deeply",
    b'{"do": "show", "do": "show"}': "the question has the key .* twice",
    b"{}": "do",
    b'{"do": "__init__"}': "one of picture, show, numbers, cover",
    b'{"do": "show", "picture": true}': "picture",
    b'{"do": "show", "picture": -1}': "at least 0",
    b'{"do": "show", "picture": 1e999}': "picture",
    b'{"do": "show", "picture": 0, "path": "/etc/passwd"}': "path",
    b'{"do": "show"}': "picture None is not known",
    b'{"do": "show", "picture": 9}': "picture 9 is not known any more",
    b'{"do": "show", "picture": 0, "target": 5}': "there is no class 5: they are numbered from 0 to 4",
    b'{"do": "numbers", "picture": 0, "layer": 99, "at": [0]}': "there is no layer 99: .* 0 to 4",
    b'{"do": "numbers", "picture": 0, "layer": 1}': "there is no place None in",
    b'{"do": "numbers", "picture": 0, "layer": 1, "at": [0, 4, 0]}': r"there is no place \[0, 4, 0\] in \[4, 4, 4\]",
    b'{"do": "numbers", "picture": 0, "layer": 1, "at": [0], "name": "forward"}': "has no parameter forward",
    b'{"do": "numbers", "picture": 0, "layer": 2, "at": [0], "name": "weight"}': "has no parameter weight",
    b'{"do": "cover", "picture": 0}': "squares need a side and a stride",
    b'{"do": "cover", "picture": 0, "side": 1000000000, "stride": 1}': "1 to 16 squares across the picture, not 0",
    b'{"do": "picture"}': "a picture needs a file, a drawing or a number",
    b'{"do": "picture", "number": 2}': "there is no picture 2: they are numbered from 0 to 1",
    b'{"do": "picture", "drawn": "AAAA"}': "a drawing has 3 x 6 x 6 bytes, got 3",
    b'{"do": "picture", "drawn": "/etc/passwd"}': "not base64",
    b'{"do": "picture", "file": "AAAA", "name": "<b>\\u001b[31m"}': r"<b>\\x1b\[31m is damaged or not an image",
}


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: body[:60].decode("latin-1"))
def test_malformed_questions_have_a_sentence_for_an_answer(server, body):
    import re

    status, _, answer = requested(server, "ask", "POST", body)
    error = json.loads(answer)["error"]
    assert status == 400 and re.search(MALFORMED[body], error), error


def png(width, height):
    """The bytes of a PNG that claims to have so many pixels, all of them in a few bytes."""
    chunks = ((b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 50_000)))
    parts = (
        struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in (*chunks, (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("width, height", [(60_000, 60_000), (2**31 - 1, 1)])
def test_a_picture_bomb_is_refused_before_memory_is_taken(server, width, height):
    bomb = base64.b64encode(png(width, height)).decode()
    status, answer = asked(server, do="picture", file=bomb, name="bomb.png")
    assert status == 400 and answer["error"].startswith("bomb.png is damaged or not an image (")


def test_a_file_is_read_as_predict_reads_it(server, rng, tmp_path):
    pixels = rng.integers(0, 256, (20, 31, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    (tmp_path / "x.png").write_bytes(file.getvalue())
    status, answer = asked(server, do="picture", file=base64.b64encode(file.getvalue()).decode(), name="<i>.png")
    whole = serving.decode(tmp_path / "x.png", 8)
    assert status == 200 and answer["caption"] == "<i>.png" and answer["shape"] == [3, 6, 6]
    assert base64.b64decode(answer["pixels"]) == whole[:, 1:7, 1:7].tobytes()
    reading = server.answers.reading
    expected = Pipeline(reading.normalization, 6, "BGR").views(whole[None], 1)[0, 0]
    given = server.answers.pictures[answer["id"]].input
    assert np.abs(given - expected).max() < 1e-6 and answer["label"] is None


def test_a_drawing_and_a_number_are_pictures(server, rng):
    pixels = rng.integers(0, 256, SHAPE, np.uint8)
    drawn = asked(server, do="picture", drawn=base64.b64encode(pixels).decode())[1]
    assert drawn["caption"] == "a drawing" and base64.b64decode(drawn["pixels"]) == pixels.tobytes()
    of_data = asked(server, do="picture", number=1)[1]
    assert of_data["caption"] == "test image 1" and of_data["label"] == 1
    assert asked(server, do="show", picture=of_data["id"])[1]["target"] == 1


def test_what_is_shown_is_minialex_s(server, network):
    picture = server.answers.pictures[0]
    for target, expected_target in ((None, 3), (1, 1)):
        values, gradients, _, loss = explored.computed(network_not_in_place(network), picture.input, expected_target)
        status, shown = asked(server, do="show", picture=0, target=target)
        assert status == 200 and shown["target"] == expected_target
        assert floats(shown["loss"])[0] == pytest.approx(loss, rel=1e-5)
        np.testing.assert_allclose(floats(shown["logits"]), values[-2].ravel(), rtol=1e-5, atol=1e-6)
        assert [s["summary"]["count"] for s in shown["gradients"]] == [g.size for g in gradients[:-1]]
    status, answer = asked(server, do="numbers", picture=0, target=1, layer=1, at=[2, 3, 0])
    boxes = {(box["of"], box["layer"]): box for box in answer["boxes"]}
    np.testing.assert_allclose(floats(boxes["values", 0]["data"]), picture.input[:, 3:6, 0:3].ravel())
    np.testing.assert_allclose(floats(boxes["weight", 1]["data"]), network[0].weight.numpy()[2].ravel())


def network_not_in_place(network):
    return explored.nn.Sequential(*(explored.nn.ReLU() if isinstance(m, explored.nn.ReLU) else m for m in network))


def test_occlusion_is_of_covered_pictures(server, network):
    picture = server.answers.pictures[0]
    found = floats(asked(server, do="cover", picture=0, target=2, side=3, stride=3)[1]["probabilities"])
    for k, (row, column) in enumerate(((0, 0), (0, 3), (3, 0), (3, 3))):
        image = picture.input.copy()
        image[:, row : row + 3, column : column + 3] = 0
        assert found[k] == pytest.approx(explored.computed(network_not_in_place(network), image, 2)[0][-1][2], rel=1e-4)


def test_hostile_names_are_data(network, rng):
    pictures = [explored.picture(SHAPE, rng, explored.HOSTILE[0])]
    answers = explored.answers(network, pictures, classes=explored.HOSTILE, title=explored.HOSTILE[1])
    with explored.served(answers) as server:
        body = requested(server)[2]
        assert body.count(b"</script>") == 2 and b"<img" not in body
        drawn = asked(server, do="picture", file="", name="</script>\r\n\x1b<b>")
        assert drawn == (400, {"error": "</script>\\r\\n\\x1b<b> is damaged or not an image (unknown format)"})


def test_old_pictures_make_room_and_the_first_ones_stay(server, monkeypatch):
    monkeypatch.setattr(serving, "PICTURES", 4)
    ids = [asked(server, do="picture", number=0)[1]["id"] for _ in range(12)]
    assert len(set(ids)) == 12 and 0 in server.answers.pictures and len(server.answers.work) <= serving.AT_WORK
    assert asked(server, do="show", picture=ids[-1])[0] == 200
    assert asked(server, do="show", picture=ids[0])[0] == 400


def test_a_small_network_has_its_input_with_each_picture(network, rng):
    answers = explored.answers(network, [explored.picture(SHAPE, rng)])
    pixels = rng.integers(0, 256, SHAPE, np.uint8)
    made = answers.to(json.dumps({"do": "picture", "drawn": base64.b64encode(pixels).decode()}).encode())
    assert np.array_equal(floats(made["input"]), pixels.ravel())
    assert explore.computes(describe(network, SHAPE))
