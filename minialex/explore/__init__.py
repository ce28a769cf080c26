"""A page in which one sees a network at work: `python -m minialex.explore RUN`, or `page(describe(...), ...)`.

    describing.py   a network as data: its layers with their sizes, settings, formulas, weights and sources
    computing.py    a network at work, computed by minialex: for a page of one that is too large to compute itself
    carrying.py     that as data of the page: maps in 8 bits (encoding.py), and the numbers of the terms that explain
                    a place (reaching.py)
    page.py         that data, the program of web/ and its style in one file of HTML, which allows nothing else to run
    kinds.py        the layers beyond those of every classifier
    timeline.py     the weights of several epochs of a run
    serving.py      the page on 127.0.0.1, where minialex computes what it asks for
    notebook.py     `show(model, images)`, the page in the output of a notebook's cell
    tracing.py      `with trace() as steps:`, what the tape records and runs, step by step; recorder.py notes it
    blocks.py       `block(kernel, grid, block, *arguments)`, the threads of a block of a CUDA kernel
    web/            the program in JavaScript: engine/ computes forwards and backwards, view/ draws and explains

explorer.js is made of the modules in web/ by `npm ci && npm run build` there.
"""

from __future__ import annotations

from .blocks import BlockSteps, block
from .carrying import results
from .describing import LARGEST, computes, describe, layers_of
from .notebook import show
from .page import Picture, Reading, page
from .tracing import Steps, trace

__all__ = [
    "LARGEST", "BlockSteps", "Picture", "Reading", "Steps", "block", "computes", "describe", "layers_of", "page",
    "results", "show", "trace",
]  # fmt: skip
