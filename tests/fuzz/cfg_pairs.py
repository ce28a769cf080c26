"""cuda-convnet's files, mutated: a layer definition file, with its layer parameter file or without it."""

from __future__ import annotations

import math

import numpy as np
from fuzz.fuzzing import Target

from minialex import Tensor, cfg, no_grad
from minialex.cfg.explain import explain

FIRST = """\
# every type of layer of the first grammar
[data]
type=data
dataIdx=0

[labels]
type=data
dataIdx=1

[blur0]
type=blur
inputs=data
stdev=4
filterSize=5
channels=3
gpu=0

[nails0]
type=nailbed
inputs=blur0
stride=2
channels=3

[mirror]
type=href
inputs=nails0
channels=3

[conv1]
type=conv
inputs=data
channels=3
filters=4
padding=1
stride=2
filterSize=4
initW=0.01
partialSum=5
sharedBiases=1
neuron=tanh[1.7, -0.6]

[conv2]
type=conv
inputs=mirror,conv1
filters=6,3
padding=0,1
stride: 1,1
filterSize=3,5
channels=3,4
groups=1,2
initW=0.01, .02
initB=1
sharedBiases=false
neuron=relu

[rnorm]
type=cmrnorm
inputs=conv1
channels=4
size=3

[cnorm]
type=cnorm
inputs=rnorm
channels=4
sizeX=3
scale=0.001
pow=.5

[sparse]
type=local
inputs=cnorm
channels=4
filters=2
filterSize=2
groups=2
randSparse=true
filterChannels=2
initW=1e-2

[pool]
type=pool
pool=avg
inputs=sparse
channels=4
sizeX=3
stride=2
start=-1
outputsX=0
neuron=linear[0.5,1]

[both]
type=concat
inputs=pool,rnorm,conv2

[hs]
type=hs
keep=0.5
inputs=both

[fc]
type=fc
outputs=4
inputs=hs,pool
initW=0.1,0.2
neuron=ident

[probs]
type=softmax
inputs=fc

[logprob]
type=cost.logreg
inputs=labels,probs
"""
FIRST_RATES = """\
[conv1]
epsW=0.001
epsB=0.002
momW=0.9
momB=0.9
wc=0.004
wball=0.5
schedW=jdexp[250,.1,4]
sched=dexp

[conv2]
epsW=0.01,0
epsB=2e-2
momW=0.9,0.8
momB=0
wc=0.0005
schedB=exp[tgtFactor=10,noiseStdev=0]

[sparse]
epsW=0.1
epsB=0
momW=0.9
momB=0.9
superEps=0

[fc]
epsW=0.1,0.1
epsB=1
momW=0.9,0.9
momB=0.9
wc=3,1

[rnorm]
scale=0.0001
pow=0.75
minDiv=2

[hs]
enable=true

[logprob]
coeff=2
topk=5
"""
SECOND = """\
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
[a]
type=fc
inputs=data
outputs=5
initW=0.01
gpu=0,1
[b]
type=fc
inputs=data
outputs=5
initW=0.01
[sum]
type=eltsum
inputs=a,b
coeffs=1,-1
[drop]
type=dropout2
inputs=sum
[out]
type=fc
inputs=drop
outputs=3
initW=0.01
neuron=logistic
[cost]
type=cost.crossent2
inputs=labels,out
"""
SECOND_RATES = """\
[a]
epsW=dexp[base=0.01;tgtFactor=250;numSteps=4]
epsB=linear[base=0.02;tgtFactor=10]  ; falls
momW=0.9
momB=0.9
updatePeriod=1
[b]
epsW=0.01
epsB=0.02
momW=0.9
momB=0.9
[out]
epsW=0.01
epsB=0.02
momW=0.9
momB=0.9
[drop]
keep=0.25
"""
DEFINITION, RATES = "layers.cfg", "layer-params.cfg"


def samples(folder):
    return [
        {DEFINITION: FIRST.encode(), RATES: FIRST_RATES.encode()},
        {DEFINITION: SECOND.encode(), RATES: SECOND_RATES.encode()},
        {DEFINITION: FIRST.encode()},
    ]


def read(folder):
    """What summary and train do; a small network that is accepted must make a step."""
    rates = folder / RATES
    program = cfg.read(folder / DEFINITION, rates if rates.is_symlink() or rates.exists() else None)
    network = program.network(12)
    text = explain(program, network)
    largest = max(math.prod(step.output.shape) for step in network.steps)
    if (
        network.parameters < 20_000
        and largest < 20_000
        and network.description["inputs"] == [program.definition.images]
    ):
        _step(program, network)
    return [network.description, text, program.notes, {str(key): str(one) for key, one in network.learned.items()}]


def _step(program, network):
    model = network.build()
    weights = model.state_dict() if program.needs_weights else None
    try:
        network.initialise(model, weights)
    except ValueError as error:  # a function names a layer that the network does not have
        assert "takes its first values by" in str(error)
        return
    optimizer = None
    if program.parameters is not None and any(not rates.frozen for rates in program.parameters.rates.values()):
        optimizer = program.optimizer(model, network, 10)
    target = np.zeros(2, np.int64) if program.definition.cost.kind == "cost.logreg" else np.zeros((2, network.outputs))
    try:
        with np.errstate(all="ignore"):
            if optimizer is None:
                with no_grad():
                    model(Tensor(np.zeros((2, 3, 12, 12), np.float32)))
                return
            outputs = model(Tensor(np.zeros((2, 3, 12, 12), np.float32)))
            program.loss(outputs, target.astype(np.int64 if target.ndim == 1 else np.float32)).backward()
            optimizer.step()
    except Exception as error:
        raise AssertionError("a network that was accepted cannot make a step") from error


TARGET = Target(samples, read, {"*.cfg": "text"}, {"*.cfg": "text"})
