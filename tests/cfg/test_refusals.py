"""What a .cfg file may not say: one sentence, with the file, the line and the layer."""

from __future__ import annotations

import re

import pytest
from cfg_files import COST, DATA, RATES, network, program, rates

from minialex.models import graph

CONV = "[c]\ntype=conv\ninputs=data\nchannels=3\nfilters=4\nfilterSize=3\ninitW=1\n"  # from line 7 on
FC = "[fc]\ntype=fc\ninputs=data\noutputs=3\ninitW=1\n"

DEFINITIONS = {  # text, what the message has
    "unknown key": (
        network(CONV + "padings=1\n", "c"),
        "line 14: [c] a layer of type conv has no key 'padings' in the definition file; did you mean padding?",
    ),
    "unknown type": (
        network(CONV.replace("=conv", "=cov"), "c"),
        "line 8: [c] type='cov' is no type of layer; did you mean conv?",
    ),
    "type that is not read": (
        network(CONV.replace("=conv", "=treefc"), "c"),
        "line 8: [c] type=treefc: this layer is not known",
    ),
    "cost that is not read": (
        DATA + FC + "[x]\ntype=cost.rflickr\ninputs=labels,fc\n",
        "line 13: [x] type=cost.rflickr: this cost is not known",
    ),
    "no type": (DATA + "[c]\ninputs=data\n", "line 7: [c] has no type, which it needs"),
    "unknown input": (
        network(CONV.replace("inputs=data", "inputs=dta"), "c"),
        "line 9: [c] inputs: there is no layer 'dta' above this one; did you mean data?",
    ),
    "layer that is defined below": (network(CONV, "d") + "[d]\ntype=softmax\ninputs=c\n", "there is no layer 'd'"),
    "unused layer": (network(CONV, "data"), "line 8: [c] is no layer's input"),
    "no cost": (DATA + FC, "there is no cost"),
    "second cost": (network(CONV, "c") + "[x]\ntype=cost.sum2\ninputs=fc\n", "[x] is a second cost, beside logprob"),
    "cost of no probabilities": (DATA + FC + COST.replace("labels,probs", "labels,fc"), "needs probabilities: fc"),
    "cost of one input": (DATA + FC + COST.replace("labels,probs", "probs"), "takes 2 inputs, got 1"),
    "no images": (network(CONV, "c").replace("dataIdx=0", "dataIdx=1"), "no layer of type=data has dataIdx=0"),
    "neuron of a neuron": (
        network("[n]\ntype=neuron\ninputs=data\n", "n"),
        "line 7: [n] has no neuron, which it needs",
    ),
    "neuron of the probabilities": (
        network(CONV, "c").replace("=softmax\n", "=softmax\nneuron=relu\n"),
        "[probs] gives a cost its probabilities, which need no neuron",
    ),
    "cost of the data": ("[data]\ntype=data\ndataIdx=0\n[x]\ntype=cost.sum2\ninputs=data\n", "there are no layers"),
    "images twice": (
        network(CONV, "c").replace("dataIdx=1", "dataIdx=0"),
        "line 6: [labels] dataIdx=0: data is the images already",
    ),
    "name of a module's own": (network(CONV.replace("[c]", "[training]"), "training"), "line 7: [training] is no name"),
    "coefficient": (network(CONV, "c") + "coeff=-1\n", "coeff='-1' should be a number of at least 0"),
    "first labels": (network(CONV, "c") + "topk=0\n", "topk='0' should be a whole number from 1 to"),
    "number": (
        network(CONV.replace("filters=4", "filters=4.5"), "c"),
        "line 11: [c] filters='4.5' should be a whole number from 1 to 1,000,000",
    ),
    "list": (network(CONV + "stride=1,2\n", "c"), "line 14: [c] stride has 2 items, but the layer has 1 inputs"),
    "channels": (
        network(CONV.replace("channels=3", "channels=4"), "c"),
        "line 10: [c] channels=4, but its input data has 3 channels",
    ),
    "filter size": (network(CONV.replace("filterSize=3", "filterSize=99"), "c"), "filterSize=99 is larger"),
    "groups": (network(CONV + "groups=2\n", "c"), "groups=2 does not divide 3 channels"),
    "filter channels": (network(CONV + "randSparse=1\nfilterChannels=2\n", "c"), "should be a multiple of 3 channels"),
    "shared weights": (network(CONV + "weightSource=c\n", "c"), "weightSource: weights that several layers share"),
    "function": (network(CONV + "initWFunc=os.system(rm)\n", "c"), "names a function; initw.makew(LAYER)"),
    "neuron": (network(CONV + "neuron=RELU\n", "c"), "neuron='RELU' is none of ident, relu"),
    "neuron with an exponent": (network(CONV + "neuron=tanh[1e-2,1]\n", "c"), "neuron='tanh[1e-2,1]' is none"),
    "neuron without numbers": (network(CONV + "neuron=tanh\n", "c"), "neuron='tanh' should be tanh[a,b]"),
    "neuron that is not read": (network(CONV + "neuron=nrelu\n", "c"), "neuron=nrelu is not known"),
    "pool": (network("[c]\ntype=pool\npool=median\ninputs=data\nsizeX=2\nstride=1\n", "c"), "pool is 'median'"),
    "gaps": (network("[c]\ntype=pool\npool=max\ninputs=data\nsizeX=2\nstride=3\n", "c"), "should be from stride=3"),
    "start": (
        network("[c]\ntype=pool\npool=max\ninputs=data\nsizeX=2\nstride=1\nstart=-2\n", "c"),
        "start=-2 should be from -1 on",
    ),
    "start of random ones": (
        network("[c]\ntype=pool\npool=rand\ninputs=data\nsizeX=3\nstride=1\nstart=-2\n", "c"),
        "start=-2 should be from -2 on, or -1 with pool=rand",
    ),
    "outputs far beyond": (
        network("[c]\ntype=pool\npool=max\ninputs=data\nsizeX=3\nstride=2\nstart=-2\noutputsX=9\n", "c"),
        "outputsX=9: the last of 9 windows would lie outside",
    ),
    "outputs beyond": (
        network("[c]\ntype=pool\npool=max\ninputs=data\nsizeX=2\nstride=2\noutputsX=9\n", "c"),
        "outputsX=9: the last of 9 windows would lie outside",
    ),
    "blocks": (network("[c]\ntype=cmrnorm\ninputs=data\nsize=3\nblocked=true\n", "c"), "blocked=true is not known"),
    "size and sizeX": (network("[c]\ntype=cmrnorm\ninputs=data\nsize=3\nsizeX=3\n", "c"), "sizeX is the older name"),
    "keep": (network("[c]\ntype=hs\ninputs=data\nkeep=0\n", "c"), "keep=0 should be above 0"),
    "flag": (network(CONV + "sharedBiases=maybe\n", "c"), "sharedBiases='maybe' should be true or false"),
    "shapes": (
        network(CONV + "[e]\ntype=eltsum\ninputs=c,data\n", "e"),
        "[e] its inputs should have one shape, got (3, 8, 8), (4, 6, 6)",
    ),
    "maps of a vector": (
        network("[f]\ntype=fc\ninputs=data\noutputs=7\n" + CONV.replace("data", "f"), "c"),
        "7 numbers, which are not 3 square maps",
    ),
    "name of a part": (
        network("[a]\ntype=fc\ninputs=data,data\noutputs=3\n[a.1]\ntype=fc\ninputs=a\noutputs=2\n", "a.1"),
        "is called a.1, as another layer is",
    ),
    "size": (network(CONV + "", "c").replace("outputs=3", "outputs=9000000"), "is too large"),
    "labels as numbers": (network("", "data,labels"), "its input labels holds labels"),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_definition(name):
    text, what = DEFINITIONS[name]
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        program(text).network(8)
    assert str(caught.value).startswith("layers.cfg") and "\n" not in str(caught.value)


FULL = network(CONV, "c")
PARAMETERS = {
    "unknown section": (
        rates(FULL, "[logprb]\ncoeff=1\n"),
        "there is no layer [logprb] in layers.cfg; did you mean logprob?",
    ),
    "unknown key": (
        rates(FULL, f"[c]\n{RATES}epsWW=1\n"),
        "has no key 'epsww' in the parameter file; did you mean epsW?",
    ),
    "missing section": (f"[c]\n{RATES}", "there is no section [fc], which layers.cfg, line"),
    "missing rate": (rates(FULL, "[c]\nepsW=1\nmomW=0\nmomB=0\n"), "[c] has no epsB, which it needs"),
    "negative rate": (rates(FULL, f"[c]\n{RATES}epsW=-1\n"), "epsW='-1' should be a number of at least 0"),
    "infinite rate": (rates(FULL, f"[c]\n{RATES}epsW=1e999\n"), "epsW='1e999' should be a number of at least 0"),
    "two schedules": (rates(FULL, f"[c]\n{RATES}epsW=exp[base=1;tgtFactor=2]\nschedW=default\n"), "second schedule"),
    "superEps": (rates(FULL, f"[c]\n{RATES}superEps=1\n"), "superEps='1' is not known: leave it out"),
    "norms": (rates(FULL, f"[c]\n{RATES}wcNormMax=1\n"), "wcNormMax='1' is not known"),
    "period": (rates(FULL, f"[c]\n{RATES}updatePeriod=2\n"), "the option --accumulate"),
    "coefficient": (rates(FULL, "[logprob]\ncoeff=-1\n"), "[logprob] coeff='-1' should be a number of at least 0"),
    "no cost": (rates(FULL, "[logprob]\ncoeff=0\n"), "[logprob] coeff=0: without its cost nothing is trained"),
    "first labels": (rates(FULL, "[logprob]\ntopk=x\n"), "[logprob] topk='x' should be a whole number"),
    "two momenta": (rates(FULL, f"[c]\n{RATES}momW=0.9,0.8\n"), "momW has 2 items, but the layer has 1 inputs"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    text, what = PARAMETERS[name]
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        program(FULL, text).network(8)
    assert str(caught.value).startswith("params.cfg")


def test_a_normalisation_without_its_settings():
    text = network("[n]\ntype=cmrnorm\ninputs=data\nsize=3\n", "n")
    with pytest.raises(ValueError, match=r"layers.cfg, line 7: \[n\] needs scale, .* section \[n\] in params.cfg"):
        program(text, rates(text)).network(8)
    assert program(text).network(8).assumed == "scale, pow"


def test_a_part_of_the_data_is_not_known():
    with pytest.raises(ValueError, match=r"line 4: \[data\] start: a part of the data is not known"):
        program(FULL.replace("dataIdx=0", "dataIdx=0\nstart=3"))


def test_a_local_layer_shares_no_bias():
    made = program(FULL.replace("type=conv", "type=local").replace("filters=4", "filters=4\nsharedBiases=true"))
    assert any("line 12: sharedBiases has no effect" in note for note in made.notes)
    assert made.network(8).build().state_dict()["c.bias"].shape == (4, 6, 6)


def test_what_has_no_effect_is_said_once():
    text = network(CONV + "gpu=0\npartialSum=4\n", "c")
    made = program(text, rates(text, f"[c]\n{RATES}sched=dexp\nwcnorm=3\n[fc]\n{RATES}sched=x\nschedB=dexp[10,2]\n"))
    assert any("sched=dexp has no effect" in note and "(2 times in the file)" in note for note in made.notes)
    assert any("wcnorm=3 has no effect" in note for note in made.notes)
    assert any("schedB=dexp[10,2] has numbers without names" in note for note in made.notes)
    assert made.parameters.rates["fc", None].schedule.steps == 2
    assert not any("gpu" in note or "partialSum" in note for note in made.notes)


def test_what_the_programs_ignore_is_said():
    text = network(CONV + "sizeX=1\nstdev=2\n", "c")
    others = f"[c]\n{RATES}filters=2\n[pool9]\nscale=1\n[norm9]\nscale=1\n"
    notes = program(text, rates(text, others)).notes
    assert notes[:2] == [
        "layers.cfg, line 14: [c] a layer of type conv has no key 'sizex' in the definition file: it is ignored",
        "layers.cfg, line 15: [c] a layer of type conv has no key 'stdev' in the definition file: it is ignored",
    ]
    assert (
        "params.cfg, line 13: [c] a layer of type conv has no key 'filters' in the parameter file: it is ignored"
        in notes
    )
    assert any(
        re.match(r"params.cfg, line 14: there is no layer \[pool9\] .* and those of 1 other layers", one)
        for one in notes
    )
    many = program(
        network(
            CONV + "".join(f"{key}=1\n" for key in ("sizeX", "size", "pow", "scale", "keep", "stdev", "outputs")), "c"
        )
    ).notes
    assert len(many) == 4 and many[3] == "layers.cfg, line 7: [c] 4 more keys are ignored"
    with pytest.raises(ValueError, match=r"line 14: \[c\] a layer of type conv has no key 'author'"):
        program(network(CONV + "author=x\n", "c"))
    with pytest.raises(ValueError, match="no layer .cc. in layers.cfg; did you mean c"):
        program(text.replace("[c]", "[ccc]").replace("inputs=c\n", "inputs=ccc\n"), rates(text, f"[cc]\n{RATES}"))


def test_random_connections_of_a_function_are_drawn():
    made = program(network(CONV + "randSparse=1\ninitCFunc=initw.makec(c)\n", "c"))
    assert any("line 15: initcfunc=initw.makec(c) has no effect: no function of a file is run" in n for n in made.notes)
    assert sorted(made.network(8).steps[0].facts["windows"][0].connections) == [0, 1, 2]


def test_what_may_be_empty():
    empty = "neuron=\ninitWFunc=\ninitBFunc= ; none\ninitCFunc=\nweightSource=\n"
    made = program(network(CONV + empty, "c"))
    assert made.notes == [] and made.needs_weights == []
    assert made.network(8).description == program(network(CONV, "c")).network(8).description
    with pytest.raises(ValueError, match="line 14: .c. groups has no value"):
        program(network(CONV + "groups=\n", "c")).network(8)


def test_another_number_of_classes():
    made = program(FULL)
    assert made.classes == 3 and made.network(8, 3).outputs == 3
    changed = made.network(8, 7)
    assert changed.outputs == 7 and changed.build().state_dict()["fc.weight"].shape == (7, 144)
    joined = network(f"{FC.replace('[fc]', '[a]')}{FC.replace('[fc]', '[b]')}", "a").replace(
        "[fc]\ntype=fc\ninputs=a\noutputs=3\ninitW=0.3\n", "[fc]\ntype=concat\ninputs=a,b\n"
    )
    assert program(joined).classes is None and program(joined).network(8).outputs == 6
    with pytest.raises(ValueError, match=r"\[logprob\] does not take the outputs of one fully connected layer"):
        program(joined).network(8, 7)


def test_joined_outputs_keep_their_number():
    text = (
        DATA
        + FC
        + FC.replace("[fc]", "[f]")
        + "[j]\ntype=concat\ninputs=fc,f\n"
        + COST.replace("inputs=fc", "inputs=j")
    )
    made = program(text, rates(text))
    assert made.network(8, 6).outputs == 6
    with pytest.raises(ValueError, match="cannot be changed from 6 to 7"):
        made.network(8, 7)
    both = program(text.replace("inputs=data\noutputs=3", "inputs=data,data\noutputs=3")).network(8)
    assert graph.build(both.description, num_classes=6, input_size=8).state_dict()["f.1.weight"].shape == (3, 192)
