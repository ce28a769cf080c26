"""Which keys the layers of cuda-convnet have, in both of its files, and which of them change no number here.

cuda-convnet of 2011 and 2012 has the first grammar, cuda-convnet2 of 2014 the second; both are read.
"""

from __future__ import annotations

from .settings import quoted, suggestion

COMMON = ("type", "inputs", "neuron", "gpu")
_FUNCTIONS = ("initWFunc", "initBFunc", "weightSource")
_FILTERS = ("channels", "filters", "filterSize", "padding", "stride", "groups", "randSparse", "filterChannels", "initW",
    "initB", "initCFunc", *_FUNCTIONS)  # fmt: skip
_NORM = ("scale", "pow", "minDiv")

DEFINITION = {
    "data": ("dataIdx", "start", "end"),
    "fc": ("outputs", "initW", "initB", *_FUNCTIONS),
    "conv": (*_FILTERS, "partialSum", "sumWidth", "sharedBiases", "modulesX"),
    "local": (*_FILTERS, "partialSum", "sumWidth", "sharedBiases"),
    "pool": ("pool", "channels", "sizeX", "stride", "start", "outputsX", "sum"),
    **dict.fromkeys(("rnorm", "cnorm", "cmrnorm"), ("channels", "size", "sizeX", "blocked", *_NORM)),
    "softmax": (),
    "neuron": (),
    "eltsum": ("coeffs",),
    **dict.fromkeys(("hs", "dropout", "dropout2"), ("keep", "enable")),
    "concat": (),
    "pass": (),
    "blur": ("channels", "filterSize", "stdev"),
    "nailbed": ("channels", "stride"),
    "href": ("channels",),
    "cost.logreg": ("coeff", "topk"),
    "cost.crossent2": ("coeff",),
    "cost.sum2": ("coeff",),
}
_WEIGHTS = ("epsW", "epsB", "momW", "momB", "wc", "wball", "superEps", "superMom", "schedW", "schedB", "sched",
    "quantF", "quantB", "updatePeriod", "wcnorm")  # fmt: skip
PARAMETERS = {
    **dict.fromkeys(DEFINITION, ()),
    "fc": _WEIGHTS,
    **dict.fromkeys(("conv", "local"), (*_WEIGHTS, "wcNormMax", "wcNormMin")),
    "pool": ("doMax",),
    **dict.fromkeys(("rnorm", "cnorm", "cmrnorm"), _NORM),
    **dict.fromkeys(("hs", "dropout", "dropout2"), ("enable", "keep")),
    "eltsum": ("coeffs",),
    "cost.logreg": ("coeff", "topk"),
    "cost.crossent2": ("coeff",),
    "cost.sum2": ("coeff",),
}

NOT_READ = dict.fromkeys(("cost.crossent", "cost.gsum2", "cost.tica", "cost.msm", "cost.rflickr", "cost.bce",
    "cost.dce"), "cost") | dict.fromkeys(("treefc", "sfc", "eltmax", "resize", "rscale", "crop", "cmpool", "sum",
    "rgb2yuv", "rgb2lab"), "layer")  # fmt: skip

# Keys that change no number, and why; of two, only where they have the value that says nothing.
NO_EFFECT = {
    "gpu": "which GPU computes a layer changes no number",
    "partialsum": "it divides the work of a kernel and changes no number",
    "sumwidth": "it divides the work of a kernel and changes no number",
    "quantf": "the precision of transfers between GPUs; here numbers stay float32",
    "quantb": "the precision of transfers between GPUs; here numbers stay float32",
    "initcfunc": "no function of a file is run: connections are drawn, by the seed, to which another network's weights "
    "need not belong",
    "sched": "the program does not read this key (schedW and schedB are read)",
    "wcnorm": "the program does not read this key",
    "supereps": "of an experimental rule that is not used where it is 0",
    "supermom": "of an experimental rule that is not used where superEps is 0",
}
USUAL = ("gpu", "partialsum", "sumwidth")  # of NO_EFFECT: they need no note


def check(section, kind, known, file):
    """The keys of other types, which the programs ignore where they stand; one that no type has is refused.

    section: a text.Section.
    kind: the type, such as "conv".
    known: {type: keys}, DEFINITION or PARAMETERS.
    file: what the file is called in messages.

    Returns sentences on them.
    Raises ValueError for a key that is not known.
    """
    common = COMMON if known is DEFINITION else ()
    spelled = {key.lower(): key for key in (*common, *known[kind])}
    of_others = {key.lower() for keys in (DEFINITION, PARAMETERS) for own in keys.values() for key in (*COMMON, *own)}
    notes = []
    for key, value in section.values.items():
        if key in spelled:
            continue
        what = f"a layer of type {kind} has no key {quoted(key)} in the {file} file"
        if key not in of_others:
            raise ValueError(f"{value.place}: [{section.name}] {what}{suggestion(key, spelled.values())}")
        notes.append(f"{value.place}: [{section.name}] {what}: it is ignored")
    more = [f"{section.place}: [{section.name}] {len(notes) - 3} more keys are ignored"] if len(notes) > 3 else []
    return notes[:3] + more


def usual(sections):
    """Sentences on the keys of kernels and GPUs that are there. sections: text.Sections. Returns a list of texts."""
    given = {key: len([one for one in sections if key in one.values]) for key in USUAL}
    spelled = {"gpu": "gpu", "partialsum": "partialSum", "sumwidth": "sumWidth"}
    return [f"{spelled[key]} ({count} layers): {NO_EFFECT[key]}" for key, count in given.items() if count]


def without_effect(sections):
    """Sentences on the keys that are there and change nothing, each once, without those of `usual`.

    sections: text.Sections.

    Returns a list of texts.
    """
    first, counts = {}, {}
    for section in sections:
        for key, value in section.values.items():
            if key in NO_EFFECT and key not in USUAL and value.text:
                first.setdefault(key, value)
                counts[key] = counts.get(key, 0) + 1
    return [
        f"{value.place}: {key}={quoted(value.text)[1:-1]} has no effect: {NO_EFFECT[key]}"
        + (f" ({counts[key]} times in the file)" if counts[key] > 1 else "")
        for key, value in first.items()
    ]
