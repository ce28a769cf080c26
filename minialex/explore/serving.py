"""The page on this machine alone: `python -m minialex.explore RUN` without --out.

    http://127.0.0.1:PORT/TOKEN/        GET: the page
    http://127.0.0.1:PORT/TOKEN/ask     POST: a question in JSON, answered in JSON; see Question

Whoever does not know the token, 256 random bits, gets 404 for whatever is asked; so does a page of another site, whose
requests bear another Host even where its name leads to 127.0.0.1. No path names a file, and nothing is written.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import http.server
import json
import os
import secrets
import socketserver
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..data import CenterCrop
from ..data.decode import Damaged, decode
from ..data.pipeline import Pipeline
from ..models.layout import Row
from ..support import schema
from ..support.schema import AtLeast, Length, OneOf
from ..support.text import printable
from . import carrying, computing
from .describing import computes
from .encoding import encoded
from .page import Picture, Reading, cropped, described

HOST = "127.0.0.1"
LONGEST = 32_000_000  # bytes of a question: a photograph in base64
PICTURES = 200  # at most: the oldest ones of those that were asked for make room
ACROSS = 16  # squares that cover a picture
AT_WORK = 3  # pictures whose values are kept, to explain them
SILENCE = 30  # seconds after which a connection that says nothing is closed

_Place = Annotated[list[Annotated[int, AtLeast(0)]], Length(1, 6)]
_Count = Annotated[int, AtLeast(0)]


class Refused(ValueError):
    """A question that cannot be answered, with the sentence that says why."""


@dataclass(frozen=True)
class Question:
    """What a page asks.

    do: "picture": make one ready, given as a file, drawn, or by number. "show": all that is drawn of a picture.
        "numbers": those that explain a place of it. "cover": the probabilities where squares of it are covered.
    file, name: bytes of a file of an image as base64, and what it is called.
    number: of a picture of the data set.
    drawn: pixels, uint8 (3, side, side) as base64.
    picture, target: the id of a picture, and the class of the loss (None: the picture's own).
    layer, at: number of a layer and a place in it; with name a place in its parameter of that name.
    side, stride: of the squares, pixels.
    """

    do: Annotated[str, OneOf("picture", "show", "numbers", "cover")]
    file: str | None = None
    name: str | None = None
    number: _Count | None = None
    drawn: str | None = None
    picture: _Count | None = None
    target: _Count | None = None
    layer: _Count | None = None
    at: _Place | None = None
    side: Annotated[int, AtLeast(1)] | None = None
    stride: Annotated[int, AtLeast(1)] | None = None


class Answers:
    """A network, pictures, and the answers to what a page asks about them.

    text: the page, of `page` with served=count.
    layers, rows: the network, of `describe` and of `layers_of`.
    pictures: those that the page begins with.
    reading: how a picture of one's own becomes the network's input.
    by_number: a function of an integer that returns a Picture of the data set.
    count: how many of these there are.
    """

    def __init__(
        self, text: str, layers: list[dict[str, Any]], rows: list[Row], pictures: list[Picture], reading: Reading,
        by_number: Callable[[int], Picture], count: int,
    ) -> None:  # fmt: skip
        self.layers, self.rows, self.reading, self.by_number, self.count = layers, rows, reading, by_number, count
        self.alone = computes(layers)
        self.side, self.classes = layers[0]["output"][1], layers[-1]["output"][0]
        self.page = text.encode()
        self.pictures = dict(enumerate(pictures))
        self.first, self.made = len(pictures), len(pictures)
        self.work: OrderedDict[tuple[int, int], tuple[computing.AtWork, dict[str, Any]]] = OrderedDict()
        self.predicted: dict[int, int] = {}  # id of a picture -> its most probable class
        self.lock = threading.Lock()  # minialex computes one thing at a time

    def to(self, body: bytes) -> dict[str, Any]:
        """The answer to a question, JSON in bytes; raises Refused, with a sentence, where there is none."""
        try:
            values = schema.from_json(body)
        except ValueError as error:
            raise Refused(f"the question {error}") from error
        if not isinstance(values, dict):
            raise Refused("a question is an object of JSON")
        try:
            question = schema.build(Question, values)
        except ValueError as error:
            raise Refused(f"the question cannot be read: {error}") from error
        with self.lock:
            return getattr(self, f"_{question.do}")(question)

    def _picture(self, question):
        made = self._made(question)
        self.pictures[self.made] = made
        self.made += 1
        if len(self.pictures) > PICTURES:
            del self.pictures[next(n for n in self.pictures if n >= self.first)]
        return described(made, self.made - 1, self.alone)

    def _made(self, question):
        """The Picture that is given as a file, drawn, or by its number."""
        if question.number is not None:
            if question.number >= self.count:
                raise Refused(f"there is no picture {question.number}: they are numbered from 0 to {self.count - 1}")
            try:
                return self.by_number(question.number)
            except (OSError, ValueError) as error:
                raise Refused(f"picture {question.number} cannot be read: {error}") from error
        if question.drawn is not None:
            pixels = np.frombuffer(_bytes_of(question.drawn), np.uint8)
            if pixels.size != 3 * self.side**2:
                raise Refused(f"a drawing has 3 x {self.side} x {self.side} bytes, got {pixels.size:,}")
            return self._of_pixels("a drawing", pixels.reshape(3, self.side, self.side))
        if question.file is not None:
            name = printable(question.name or "a picture")
            whole = _decoded(_bytes_of(question.file), name, self.reading.resize)
            return self._of_pixels(name, CenterCrop(self.side)(whole[None])[0])
        raise Refused("a picture needs a file, a drawing or a number")

    def _of_pixels(self, caption, pixels):
        normalization = cropped(self.reading.normalization, self.side)
        pipeline = Pipeline(normalization, self.side, self.reading.channel_order)
        return Picture(caption, pixels, pipeline.views(pixels[None], 1)[0, 0])

    def _show(self, question):
        return self._at_work(question)[1]

    def _numbers(self, question):
        n, at, name = question.layer, question.at, question.name
        if n is None or n >= len(self.layers) - 1:
            raise Refused(f"there is no layer {n}: they are numbered from 0 to {len(self.layers) - 2}")
        shape = self.layers[n]["output"] if name is None else self.layers[n].get(name, {}).get("shape")
        if name not in (None, "weight", "bias") or shape is None:
            raise Refused(f"layer {n} has no parameter {printable(str(name))}")
        if at is None or len(at) != len(shape) or any(i >= size for i, size in zip(at, shape)):
            raise Refused(f"there is no place {at} in {shape}")
        return carrying.explained(self.layers, self._at_work(question)[0], n, at, name)

    def _cover(self, question):
        """The probability of the class where each square is covered by the mean, row by row."""
        picture, (side, stride) = self._known(question), (question.side, question.stride)
        if side is None or stride is None:
            raise Refused("squares need a side and a stride")
        corners = range(0, self.side - side + 1, stride)
        if not 0 < len(corners) <= ACROSS:
            raise Refused(f"there may be 1 to {ACROSS} squares across the picture, not {len(corners)}")
        found = []
        for row in corners:
            images = np.stack([_covered(picture.input, row, column, side) for column in corners])
            found += computing.probabilities(self.rows, images)[:, self._target(question)].tolist()
        return {"probabilities": encoded(np.array(found))}

    def _at_work(self, question):
        """(the AtWork of a picture and a class, what is drawn of it): one of the last ones, or made anew."""
        picture, target = self._known(question), self._target(question)
        key = (question.picture, target)
        if key not in self.work:
            while len(self.work) >= AT_WORK:
                self.work.popitem(last=False)
            work = computing.AtWork(self.rows, picture.input, target)
            shown = {**carrying.carried(self.layers, work), "explained": []}
            work.parameter_gradients = []  # as large as the network; their summaries are in what is drawn
            key = (question.picture, work.target)
            self.work[key] = (work, shown)
            if target is None:
                self.predicted[question.picture] = work.target
        self.work.move_to_end(key)
        return self.work[key]

    def _known(self, question):
        if question.picture not in self.pictures:
            raise Refused(f"picture {question.picture} is not known any more: take it again")
        return self.pictures[question.picture]

    def _target(self, question):
        own = self._known(question).label
        target = question.target
        if target is None:
            target = self.predicted.get(question.picture) if own is None else own
        if target is not None and target >= self.classes:
            raise Refused(f"there is no class {target}: they are numbered from 0 to {self.classes - 1}")
        return target


def _covered(image, row, column, side):
    covered = image.copy()
    covered[:, row : row + side, column : column + side] = 0
    return covered


def _bytes_of(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("the question holds what is not base64") from error


def _decoded(content, name, size):
    """uint8 (3, size, size) of a file of an image that is given as bytes: by way of a file, as `decode` reads them."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "picture")
        with open(path, "wb") as file:
            file.write(content)
        try:
            return decode(path, size)
        except Damaged as error:
            raise Refused(f"{name} is damaged or not an image ({error.reason})") from error
        except (OSError, MemoryError) as error:
            raise Refused(f"{name} cannot be read") from error


class Server(http.server.ThreadingHTTPServer):
    """The Answers at an address that only this machine can reach and only who knows the token can ask.

    answers: the Answers.
    port: of the address; 0 for a free one.

    address: with the token.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # there it would let another process take the port over

    def __init__(self, answers: Answers, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.answers, self.token = answers, secrets.token_urlsafe(32)
        self.host = f"{HOST}:{self.server_port}"
        self.address = f"http://{self.host}/{self.token}/"

    def server_bind(self):
        """As of TCPServer: HTTPServer would ask for the name of the address, over the network where it must."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request, client_address):
        """Silence where a browser hangs up; an error of ours keeps its traceback."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    timeout = SILENCE
    server_version, sys_version = "minialex", ""

    def do_GET(self):
        if self._is_known("/"):
            self._answer(200, "text/html; charset=utf-8", self.server.answers.page)

    def do_POST(self):
        if not self._is_known("/ask"):
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()) or len(length) > 8 or int(length) > LONGEST:
            self._say(413, {"error": f"a question has at most {LONGEST // 1_000_000} MB"})
            return
        try:
            self._say(200, self.server.answers.to(self.rfile.read(int(length))))
        except Refused as error:
            self._say(400, {"error": printable(str(error))})

    def _is_known(self, path):
        """Whether the request knows the token, and comes from the page itself; else it is answered with 404."""
        given, own = self.path.encode(errors="replace"), f"/{self.server.token}{path}".encode()
        origin = self.headers.get("Origin", f"http://{self.server.host}")
        known = self.headers.get("Host") == self.server.host and origin == f"http://{self.server.host}"
        if hmac.compare_digest(given, own) and known:
            return True
        self._answer(404, "text/plain; charset=utf-8", b"There is nothing here.\n")
        return False

    def _say(self, code, answer):
        self._answer(code, "application/json", json.dumps(answer, separators=(",", ":")).encode())

    def _answer(self, code, kind, body):
        self.send_response(code)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing: the address, with its token, would stand in the terminal's history with every request."""
