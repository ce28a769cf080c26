# %% [markdown]
# # 9. The paper's tricks
#
# *Windows of 3×3 in place of 2×2 lowered AlexNet's error by 0.4 points, says the paper. It trained one network with
# the one and one with the other. How would you know that this was more than luck?*
#
# You need lessons 5 (pooling, LRN) and 6 (training, dropout). The paper is a collection of tricks, each with a
# sentence on how many points it brought. We shall look at what they do to a picture and to a network, switch them off
# one at a time, and find that the hardest part is to say whether anything happened.

# %%
import numpy as np
from lesson import BLUE, INK, PURPLE, VERMILION, check, compare, hint, panels, pick, pictures, progress, show, tint
from matplotlib import cbook
from matplotlib.patches import Rectangle

import minialex
from minialex import data, nn, optim, use_backend
from minialex.data.color import ColorNoise
from minialex.data.decode import decode
from minialex.data.pipeline import Pipeline
from minialex.nn import init
from minialex.runs.trained import Trained
from minialex.training import evaluation
from minialex.training.trainer import Trainer

backend = use_backend("auto")  # the compiled one where it is installed

# %% [markdown]
# ## One picture is many
#
# AlexNet has 60 million parameters and saw 1.2 million pictures. Left alone, it would learn them by heart. So the paper
# seldom shows the same picture twice: of 256×256 pixels it takes a window of 224×224 at a random place, and mirrors it
# half of the time. The class stays what it was, and nothing has to be stored.
#
# **Predict:** how many different pictures can one picture become in this way?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
# In both directions, a window can begin at any of these places.
places = 256 - 224 + 1
compare(prediction, 2 * places**2)

# %%
photo = decode(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False), 256)  # any picture of yours will do
gray = data.Normalize(np.full((3, 1, 1), 128.0))
pipeline = Pipeline(gray, 224)
one = data.ArrayDataset(photo[None], [0], ["portrait"])
loader = data.Loader(one, 1, pipeline.training_transforms(flip=True), seed=9)
shown = [next(loader.epoch(epoch))[0][0] for epoch in range(3)]

# %%
def paint(axes, image, title=""):
    """A picture (3, H, W) of values from 0 to 255, in steps of 8: notebooks stay small."""
    steps = np.clip(image, 0, 255).astype(np.uint8) // 8 * 8 + 4
    axes.imshow(steps.transpose(1, 2, 0), interpolation="nearest")
    axes.set_title(title)
    pictures(axes)


figure, whole, *crops = panels(4, height=1.8, width=6, width_ratios=(256, 224, 224, 224))
paint(whole, photo, "what is stored")
for left, top, color in ((0, 0, BLUE), (32, 32, VERMILION)):
    whole.add_patch(Rectangle((left, top), 223, 223, facecolor="none", edgecolor=color, linewidth=1.6))
for epoch, (axes, image) in enumerate(zip(crops, shown)):
    paint(axes, image + 128, f"epoch {epoch + 1}")
show(figure, "09-crops", "A portrait with the two outermost windows, and what the network sees of it in three epochs")

# %% [markdown] tags=["outcome"]
# The paper counts 2,048, which is $2 \cdot 32^2$; its program and minialex also use the 33rd place.

# %% [markdown]
# This is Rear Admiral Grace Hopper, who wrote one of the first compilers. (The picture comes with matplotlib.) Look at
# her name tag: in some epochs it is on the other side. She is still a portrait, but to a network that reads digits a
# mirror image would be a lie. A trick of this kind is knowledge about the *task*: it says which changes mean nothing.
#
# The number of different pictures is not all that it seems: neighbouring windows share nearly all of their pixels.
#
# ## In another light
#
# The other change is one of colour. The pixels of photographs do not fill the cube of red, green and blue: most
# lie near the line from black to white, because light varies more than hue. **Principal components** say it in
# numbers: axes $p_1, p_2, p_3$ at right angles, and the std $d_i$ of all pixels along each. The network should
# not mind another light, so each time a picture is shown, *all* its pixels move by one and the same random colour:
#
# $$x' = x + c \sum_{i=1}^{3} \alpha_i\, \lambda_i\, p_i, \qquad \alpha_i \sim N(0, 1), \quad c = 0.1$$
#
# $\lambda_i$ is the eigenvalue, says the paper, hence a *squared* std (of pixels from 0 to 1, or it would be
# huge). Its program multiplies by the std $d_i$ itself, and divides everything by $1 + c$ at the end. minialex
# knows both. Below are ImageNet's own axes, as published with cuda-convnet2, the successor of that program.

# %%
stds = np.array([19.7208, 37.0939, 121.7801])  # of pixels from 0 to 255
rows = [0.41796, -0.81698, 0.39731], [-0.71258, -0.02354, 0.70120], [-0.56351, -0.57618, -0.59200]
vectors = np.array(rows).T  # a column for each axis
mean = np.array([127.305, 119.715, 104.913])[:, None, None]
imagenet = data.Statistics(np.broadcast_to(mean, (3, 256, 256)), stds, vectors, None)

# %%
figure, *three = panels(3, height=3.1, width=8)
pixels, names = photo.reshape(3, -1)[:, ::61], ("red", "green", "blue")
for axes, (a, b) in zip(three, ((0, 1), (0, 2), (1, 2))):
    axes.scatter(pixels[a], pixels[b], s=2, c=pixels.T / 255, linewidths=0)
    for i, color in enumerate((INK, PURPLE, VERMILION)):
        ends = mean[:, 0] + np.outer(vectors[:, i], [-stds[i], stds[i]])
        axes.plot(ends[a], ends[b], color=color, linewidth=3, label=f"$d_{i + 1}$ = {stds[i]:.0f}")
    axes.set(xlim=(-5, 260), ylim=(-5, 260), aspect="equal", xlabel=names[a], ylabel=names[b])
    axes.set_title(f"{names[a]} and {names[b]}")
figure.legend(*three[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
show(figure, "09-cloud", "The portrait's pixels by colour, and ImageNet's three axes, each two stds long")

# %%
def moved(by, alphas, c=0.1):
    """The portrait in the light that three alphas make; the mean is taken off and put back, as in a network."""
    noise = ColorNoise(c, imagenet, by)
    change = noise.axes @ alphas
    scale = 1 + c if by == "std" else 1
    return (photo - mean + change[:, None, None]) / scale + mean


print("std of the colour added to pixels from 0 to 255: red, green, blue")
for by in ("eigenvalue", "std"):
    print(f"{by:>12}: {np.sqrt((ColorNoise(0.1, imagenet, by).axes ** 2).sum(1)).round(1)}")

# %%
rng = np.random.default_rng(3)
draws = rng.standard_normal((3, 3))
figure, original, *grid = panels(7, height=1.35, width=7.5)
paint(original, photo, "as it is")
for start, by in ((0, "eigenvalue"), (3, "std")):
    for axes, alphas in zip(grid[start:], draws):
        paint(axes, moved(by, alphas))
    grid[start].set_title(f"times the {by}")
show(figure, "09-colours", "The portrait in three lights, as the paper says, and in the same as its program did")

# %% [markdown]
# Vermilion is the axis of light and dark; it is by far the longest. With eigenvalues, the two others nearly vanish,
# since squaring makes small numbers smaller: it is a change of brightness and little else. With stds, the same
# three draws move hues as well. The paper credits this trick with "over 1 %" of top-1 error.
#
# ## Switches that change nothing else
#
# Now to the network. We use `shapes_net` at half its width, on drawn shapes of 28×28 pixels, cropped to 24×24. What LRN
# does depends on how loud its input is, because it squares it. Behind the paper's conv1, whose 363 weights of std 0.01
# see pixels with a std of 60 or so, numbers near $0.01 \cdot \sqrt{363} \cdot 60 \approx 11$ are usual. Behind ours
# they are near 1.4, and the paper's alpha would be asleep (lesson 5). We take alpha = 0.02 and $k = 1$, as `shapes_net`
# does: quiet channels pass as they are, the loudest shrink to about half.
#
# If a switch is to show what *its* trick does, it may change nothing else. LRN, dropout and pooling have no
# weights, so each variant has the same parameters, and under the same seed it begins with the *same numbers* and sees
# the same pictures in the same order. With pooling this takes care: windows of 3 must leave maps of the same size as
# windows of 2. A padding of 1 does it, because padding never wins.
#
# The paper's authors had the same trouble. Their program rounds sizes *up*, so that windows of 2 made 28 of conv1's 55
# rows, where windows of 3 made 27. They repaired it by narrowing the padding of two convolutions. So their 0.4 points
# are the effect of the windows *and* of those paddings.

# %%
def network(lrn=True, overlap=True, dropout=True):
    """(N, 3, 24, 24) -> logits (N, 10); all variants have the same shapes and parameters."""

    def stage(convolution):
        norm = nn.LocalResponseNorm(5, 0.02, 0.75, 1.0, alpha_over="element") if lrn else nn.Identity()
        return convolution, nn.ReLU(), norm, nn.MaxPool2d(3, 2, padding=1) if overlap else nn.MaxPool2d(2, 2)

    return nn.Sequential(
        *stage(nn.Conv2d(3, 16, 5, stride=2, padding=2)),
        *stage(nn.Conv2d(16, 32, 3, padding=1, groups=2)),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(288, 128), nn.ReLU(), nn.Dropout(0.5 if dropout else 0.0), nn.Linear(128, 10),
    )

# %%
splits = data.load("shapes", size=28, train_count=pick(smoke=160, quick=1000, paper=5000), validation=0,
                   test_count=pick(smoke=200, quick=2000, paper=10_000))
pipeline = Pipeline(data.Normalize.channels(splits.train), 24)
classes = list(splits.train.classes)
epochs = pick(smoke=1, quick=20)


def prepare(seed, **switches):
    """A network with its initial values, which depend on the seed alone."""
    minialex.manual_seed(seed)
    model = network(**switches)
    for layer in (layer for layer in model if hasattr(layer, "weight")):
        init.normal_(layer.weight, std=(2 / np.prod(layer.weight.shape[1:])) ** 0.5)
        init.constant_(layer.bias, 0)
    init.normal_(model[-1].weight, std=0.01)
    return model

# %%
def train(seed, crops=True, pictures=splits.train, epochs=epochs, weight_decay=5e-4, **switches):
    """A trained network; crops=False shows the middle of every picture, unmirrored."""
    model = prepare(seed, **switches)
    optimizer = optim.SGD(model.parameters(), 0.02, 0.9, weight_decay=weight_decay)
    schedule = optim.MultiStepLR(optimizer, [0.6 * epochs, 0.8 * epochs])
    transforms = pipeline.training_transforms(flip=True) if crops else pipeline.evaluation_transforms()
    trainer = Trainer(model, optimizer, schedule, data.Loader(pictures, 32, transforms, shuffle=True, seed=seed))
    while trainer.epoch < epochs:
        for _ in trainer.steps():
            pass
        trainer.finish_epoch()
    return Trained(f"seed {seed}", None, model.eval(), pipeline, classes, 28)

# %%
def test(trained, views=1):
    """Which test pictures it gets wrong: (N,) of 0 and 1."""
    verdicts, _ = evaluation.evaluate([trained], data.Loader(splits.test, 100).epoch(), classes, views)
    return verdicts.rank >= 1


seeds = range(pick(smoke=2, quick=5, paper=16))
variants = {
    "no crops, no flips": {"crops": False},
    "no LRN": {"lrn": False},
    "no overlap": {"overlap": False},
    "no dropout": {"dropout": False},
}
all_on = [train(seed) for seed in progress(seeds, "all on", "networks")]
errors = {"all on": 100 * np.array([test(trained).mean() for trained in all_on])}

# %% [markdown]
# **Predict:** these networks differ in nothing but the seed. How many points of error lie between the best
# and the worst of them?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
print("all on:", errors["all on"].round(2))
compare(prediction, np.ptp(errors["all on"]), " points")

# %% [markdown]
# That is what luck does, with no trick at all. It comes from three places: the initial weights, the order of the
# pictures, and the coin flips of dropout and crops. Keep the number in mind, and then the paper's 0.4 points.
#
# Now the switches. This is most of the lesson's time.

# %%
for name, switches in variants.items():
    trained = (train(seed, **switches) for seed in progress(seeds, name, "networks"))
    errors[name] = 100 * np.array([test(one).mean() for one in trained])
    print(f"{name + ':':<20}", errors[name].round(2))

# %% [markdown]
# ## A difference and its error
#
# Let $d_j$ be what the switch did under seed $j$: the error without the trick less the error with it. The mean
# $\bar d$ of $n$ such pairs is our estimate. Had we used other seeds, it would be another one, and its typical distance
# from the truth is the **standard error**, which we can estimate from how much the $d_j$ differ among themselves:
#
# $$\mathrm{SE} = \frac{s}{\sqrt{n}}, \qquad s^2 = \frac{1}{n-1} \sum_{j=1}^{n} (d_j - \bar d)^2$$
#
# About 95 of 100 intervals $\bar d \pm t \cdot \mathrm{SE}$ made in this way hold the truth. For many seeds $t$ is near
# 2; for few it is larger (Student's $t$), because $s$ itself is uncertain. If the interval holds zero, the experiment
# has not shown that the switch does anything.
#
# **Predict:** how many of the four intervals will *not* hold zero?

# %% tags=["prediction"]
prediction = ...

# %% tags=["outcome"]
T = {2: 12.71, 5: 2.78, 16: 2.13}[len(seeds)]  # Student's t for 95 %, n - 1 degrees of freedom


def mean_and_half(d):
    """The mean of differences, and half the width of its interval."""
    return d.mean(), T * d.std(ddof=1) / len(d) ** 0.5


base = errors["all on"]
differences = {name: errors[name] - base for name in variants}
means, halves = ({name: mean_and_half(d)[i] for name, d in differences.items()} for i in (0, 1))
clear = {name: abs(means[name]) > halves[name] for name in variants}
compare(prediction, sum(clear.values()))

spots = np.linspace(-0.2, 0.2, len(seeds))  # so that dots do not hide each other
trained_so = {name: errors[name] for name in ("all on", *variants)}

# %% tags=["outcome"]
figure, left, right = panels(2, height=3.4, sharey=True)
for y, (name, values) in enumerate(trained_so.items()):
    left.barh(y, values.mean(), xerr=values.std(ddof=1), height=0.6, color=tint(INK, 0.15), ecolor=INK, capsize=3)
    left.plot(values, y + spots, "o", color=INK, markersize=3.5)
    if name != "all on":
        color = VERMILION if clear[name] else BLUE
        right.errorbar(means[name], y, xerr=halves[name], fmt="s", color=color, capsize=4, markersize=7)
        right.plot(differences[name], y + spots, "o", color=tint(color, 0.45), markersize=3.5)
right.axvline(0, color=INK, linewidth=1)
left.set(title="test error: mean ± std over seeds", xlabel="%", yticks=range(5), yticklabels=list(trained_so))
left.set(ylim=(4.6, -0.6))
right.set(title="paired differences: mean and 95 % interval", xlabel="points that the trick is worth")
show(figure, "09-tricks", "Errors of five variants over the seeds, and the paired differences with intervals")

# %% [markdown] tags=["outcome"]
# Each small dot is one network on the left and one pair on the right. The squares are means of pairs: vermilion where
# the interval leaves zero out, blue where it does not. Left of zero the networks were *better without* the trick, and
# that is nothing to hide. It does not mean that the paper was wrong. Crops and dropout are medicines against learning
# by heart, and they slow all learning. Who is not ill has only the side effects. Are our networks ill? Ask them about
# the pictures they were trained on: those who know them by heart make hardly a mistake there.

# %%
known = [evaluation.evaluate([t], data.Loader(splits.train, 100).epoch(), classes)[0].top1_error for t in all_on]
print("all on, error on training pictures:", (100 * np.array(known)).round(1))
print("              and on test pictures:", base.round(1))

# %% [markdown]
# The first numbers are far from zero: these networks have not finished learning, and every brake costs points. Nor is
# the contest quite fair: all variants had one rate and one number of epochs, and each might do better with its own.
#
# A blue square does not say "this trick does nothing". It says that its effect, if there is one, likely lies somewhere
# in the interval, on either side of zero. And four looks at 95 % are four chances to be fooled: in nearly one such
# figure of five, some square would be vermilion though *no* trick did anything.
#
# ## When the network is ill
#
# So let us make them ill. The same network gets few pictures, many epochs and no weight decay; and no crops either, for
# they alone would keep it healthy. From there each trick is switched off once more, and crops are switched *on*.
#
# **Predict:** how many of the four tricks are worth more than zero points now, on average?

# %% tags=["prediction"] choices=["0", "1", "2", "3", "4"]
prediction = ...

# %%
few = data.load("shapes", size=28, train_count=pick(smoke=64, quick=300, paper=1000), validation=0, test_count=10).train
longer = pick(smoke=1, quick=60)
ill = {name: {"crops": False, **switches} for name, switches in {"ill": {}, **variants}.items()}
ill["no crops, no flips"] = {"crops": True}  # the other way round: here they are what is added
trained_ill = {
    name: [train(s, pictures=few, epochs=longer, weight_decay=0.0, **on) for s in progress(seeds, name, "networks")]
    for name, on in ill.items()
}
healed = {name: 100 * np.array([test(one).mean() for one in networks]) for name, networks in trained_ill.items()}
by_heart = [evaluation.evaluate([t], data.Loader(few, 100).epoch(), classes)[0].top1_error for t in trained_ill["ill"]]

# %% tags=["outcome"]
print("error on training pictures:", (100 * np.array(by_heart)).round(1))
print("and on test pictures:      ", healed["ill"].round(1))
worth = {name: healed[name] - healed["ill"] for name in variants}
worth["no crops, no flips"] *= -1
compare(prediction, str(sum(d.mean() > 0 for d in worth.values())))

# %% tags=["outcome"]
figure, axes = panels(height=2.9)
for y, name in enumerate(variants):
    for shift, d, color, label in ((-0.15, differences, BLUE, "still learning"), (0.15, worth, VERMILION, "ill")):
        mean, half = mean_and_half(d[name])
        axes.errorbar(mean, y + shift, xerr=half, fmt="s", color=color, capsize=4, label=label if y == 0 else None)
        print(f"{name:<20} {label:<15} {mean:+6.2f} ± {half:.2f}")
axes.axvline(0, color=INK, linewidth=1)
axes.set(yticks=range(4), yticklabels=[name.removeprefix("no ") for name in variants], ylim=(3.5, -0.5))
axes.set(title="the same tricks in two networks: mean and 95 % interval", xlabel="points that the trick is worth")
axes.legend(loc="lower right")
show(figure, "09-ill", "What each trick is worth to a network that still learns, and to one that knows all by heart")

# %% [markdown] tags=["outcome"]
# It is the same network, the same rate, the same test pictures. A network that knows its training pictures by heart
# gains from what kept the other from learning: crops, overlap and dropout have changed sides. LRN has not: its interval
# holds zero, and all that we can say is that it is worth less than a few points here. So "how much is dropout worth?"
# has no answer that is a number. It depends on how many pictures there are for how many weights, and on how long one
# trains. The paper had 60 million weights and 1.2 million pictures, and showed each of them 90 times.

# %% [markdown]
# Did the pairs help? If two networks of one seed share their luck, it cancels in $d_j$. For independent ones, $s$
# would be the root of the sum of both squared stds.

# %%
print("std of the differences      in pairs   if independent")
for name, d in differences.items():
    apart = np.hypot(errors[name].std(ddof=1), base.std(ddof=1))
    print(f"{name:<30} {d.std(ddof=1):11.2f} {apart:16.2f}")

# %% [markdown]
# Where the first number is the smaller, pairing has paid. Often it hardly does: after some hundred steps, two networks
# with different layers have gone so different ways that a common beginning is forgotten. Pairing costs nothing, so we
# do it anyway, and count on no gift.
#
# ## Ten views
#
# The last trick needs no training. In testing, the paper shows the network ten windows: the four corners, the centre,
# and their mirror images. It averages the ten *probabilities*, and so asks a small jury that sees the thing
# from ten sides. `Pipeline.views` cuts them, and `minialex.training.evaluation` averages.

# %%
errors["ten views"] = 100 * np.array([test(trained, views=10).mean() for trained in all_on])
print("centre only:", base.round(2))
print("ten views:  ", errors["ten views"].round(2))

# %%
figure, first, second, right = panels(3, height=2.1, width=7)
for axes, image, title in ((first, photo, "five views"), (second, photo[..., ::-1], "and five more")):
    paint(axes, image, title)
    for left, top in ((32, 0), (0, 32), (32, 32), (16, 16), (0, 0)):
        wide, color = (2, BLUE) if left == top == 0 else (0.7, VERMILION if left == top == 16 else BLUE)
        axes.add_patch(Rectangle((left, top), 223, 223, facecolor="none", edgecolor=color, linewidth=wide))
right.plot([0, 1], [base, errors["ten views"]], "o-", color=tint(INK, 0.5), markersize=4, linewidth=1)
right.plot([0, 1], [base.mean(), errors["ten views"].mean()], "s-", color=VERMILION)
right.set(xticks=[0, 1], xticklabels=["centre", "ten views"], xlim=(-0.3, 1.3), title="test error, %")
right.grid(axis="x", visible=False)
show(figure, "09-views", "The windows of the ten views, and the error of each network with one view and with ten")

# %% [markdown]
# Each thin line is one network, seen twice: the closest pairs that one can have, since not a weight differs. Whether
# that makes the interval narrower than the others, and on which side of zero it lies, the last column below tells.
#
# ## Beside the paper
#
# All in points of top-1 error (top-5 in brackets), positive where the trick helps. In the paper, ten views lowered the
# error on ImageNet from 39.0 % to 37.5 % (from 18.3 % to 17.0 %). Its networks took days each, ours are toys. What can
# be compared is the method.

# %%
gain = base - errors["ten views"]
means["ten views"], halves["ten views"] = gain.mean(), T * gain.std(ddof=1) / len(gain) ** 0.5
paper = {"no crops, no flips": "-", "no LRN": "1.4 (1.2)", "no overlap": "0.4 (0.3)", "no dropout": "-",
         "ten views": "1.5 (1.3)"}
print(f"{'':<20} {'the paper':<12} {'here, still learning':<22} here, ill; {len(seeds)} seeds each")
for name, theirs in paper.items():
    mean, half = mean_and_half(worth[name]) if name in worth else (np.nan, np.nan)
    second = "not tried" if np.isnan(mean) else f"{mean:+.2f} ± {half:.2f}"
    print(f"{name:<20} {theirs:<12} {f'{means[name]:+.2f} ± {halves[name]:.2f}':<22} {second}")
for name, theirs in (("no colour noise", "over 1"), ("one GPU, not two", "1.7 (1.2)")):
    print(f"{name:<20} {theirs:<12} {'not tried':<22} not tried")

# %% [markdown]
# For crops and dropout the paper gives no numbers. Without them, it says, the network overfits "substantially".
#
# It trained one network for each line, so the spread over seeds is unknown. There is a second luck, however, that one
# *can* compute: that of the test pictures. An error of share $e$ among $N$ pictures has a standard error of
# $\sqrt{e\,(1-e)/N}$, and a difference of two that of both, added in squares. (As the pictures are the same, this is
# too much; by how much, depends on how often the two disagree.) The notes kept with the program have more digits.

# %%
notes = {  # errors in %, without and with; pictures
    "two GPUs, not one": (39.168, 37.473, 150_000),
    "LRN": (42.034, 40.664, 50_000),
    "overlap": (41.058, 40.664, 50_000),
    "no norms in layer 2": (40.664, 40.49, 50_000),
    "trained to epoch 135, not 91": (40.664, 40.25, 50_000),
}

# %%
figure, axes = panels(height=2.7)
for y, (name, (without, having, count)) in enumerate(notes.items()):
    luck = 100 * sum(e / 100 * (1 - e / 100) / count for e in (without, having)) ** 0.5
    axes.errorbar(without - having, y, xerr=2 * luck, fmt="s", color=INK, capsize=4)
    print(f"{name:<30} {without - having:+.2f} points, {(without - having) / luck:4.1f} SE of the pictures")
axes.axvline(0, color=INK, linewidth=1)
axes.set(yticks=range(len(notes)), yticklabels=list(notes), ylim=(4.5, -0.5), title="gained, ± 2 SE of the pictures")
axes.set_xlabel("points of top-1 error")
show(figure, "09-paper", "The paper's differences and two from its program's notes, with the luck of the pictures")

# %% [markdown]
# Two GPUs (a network of nearly twice the width in its convolutions) and LRN stand clear of the test pictures' luck.
# The 0.4 of overlap does not, by this cautious count. Now look at the last two lines: without the norms of its second
# layer the network was no worse, and training the *same* network longer brought as much as overlap. Two years later,
# the authors of the VGG networks measured no gain from LRN at all, and left it out.
#
# What would one need? For an interval of $\pm 0.4$ points, about $n = (2 s / 0.4)^2$ pairs. (Even then, an effect of
# just that size is missed every other time.)

# %%
spread = differences["no overlap"].std(ddof=1)
for points in (2, 1, 0.4):
    print(f"to see {points:>3} points: {np.ceil((2 * spread / points) ** 2):4.0f} pairs of networks")
needed = int(np.ceil((2 * spread / 0.4) ** 2))
print(f"THE CLOSING NUMBER: to see 0.4 points in our small network, train {needed} pairs")

# %% [markdown]
# ## Exercises

# %% [markdown]
# ### Exercise 9.1 ★★ Another light
#
# Return the colour (3,) that is added to every pixel, as the paper's formula says, for pixels from 0 to 1. `vectors`
# (3, 3) has the axes as columns, `stds` is along each of them.

# %% tags=["exercise"]
def colour(alphas, stds, vectors, c): ...


check("9.1", colour)

# %% [markdown]
# <details><summary>Solution 9.1</summary>
#
# ```python
# def colour(alphas, stds, vectors, c):
#     return c * vectors @ (alphas * stds**2)
# ```
#
# An eigenvalue of the covariance is the variance along its axis.
# </details>

# %% [markdown]
# ### Exercise 9.2 ★ Pairs
#
# Return the mean of the paired differences, `without - having`, and its standard error. Both are arrays of one number a
# seed.

# %% tags=["exercise"]
def paired(without, having): ...


check("9.2", paired)

# %% [markdown]
# <details><summary>Solution 9.2</summary>
#
# ```python
# def paired(without, having):
#     d = without - having
#     return d.mean(), d.std(ddof=1) / len(d) ** 0.5
# ```
#
# NumPy's `std` divides by $n$ unless told `ddof=1`, and for few seeds that is far too sure of itself.
# </details>

# %% [markdown]
# ### Exercise 9.3 ★★★ A test without a table
#
# If a trick did nothing, each difference could as well have the other sign. Over all $2^n$ choices of signs: in what
# share is |mean| at least as large as it is with the signs as they are? (`itertools.product([1, -1], repeat=n)`; allow
# 1e-12.)

# %% tags=["exercise"]
def share_of_flips(differences): ...


check("9.3", share_of_flips)

# %% [markdown]
# <details><summary>Solution 9.3</summary>
#
# ```python
# import itertools
#
# def share_of_flips(differences):
#     signs = np.array(list(itertools.product([1, -1], repeat=len(differences))))
#     means = abs((signs * differences).mean(axis=1))
#     return (means >= abs(differences.mean()) - 1e-12).mean()
# ```
#
# Five pairs of one sign give 2 of 32, or 6 %: by this test, five seeds can never reach 5 %.
# </details>

# %% [markdown]
# ### Exercise 9.4 ★★ A jury
#
# Ten-view testing: from `logits` (views, n, classes) to the averaged probabilities (n, classes). Logits may be as large
# as 1000.

# %% tags=["exercise"]
def jury(logits): ...


check("9.4", jury)

# %% [markdown]
# <details><summary>Solution 9.4</summary>
#
# ```python
# def jury(logits):
#     p = np.exp(logits - logits.max(axis=-1, keepdims=True))
#     return (p / p.sum(axis=-1, keepdims=True)).mean(axis=0)
# ```
#
# Averaging logits instead would let one view that is very sure outvote nine.
# </details>

# %% [markdown]
# ## Find the bug
#
# A colleague compares two variants in pairs, as in this lesson. As a trial, the two variants are the *same*: whatever
# the experiment finds now, it has made up. In pairs of one seed there should be nothing at all.

# %%
def experiment(seeds):
    draw = np.random.default_rng(0)                                    # A
    differences = []
    for seed in seeds:                                                 # B
        errors_of = {}
        for variant in ("with", "without"):                            # C
            weights = draw.normal(0, 1, 50)                            # D
            draw = np.random.default_rng(seed)                         # E
            order = draw.permutation(50)                               # F
            errors_of[variant] = np.abs(weights[order].cumsum()).mean()   # G: a stand-in for training and testing
        differences.append(errors_of["without"] - errors_of["with"])   # H
    return np.round(differences, 2)


print(experiment(range(5)))

# %% [markdown]
# ### Exercise 9.5 ★★ A line in the wrong place
#
# Which of the lines stands in the wrong place? A letter.

# %% tags=["exercise"]
line = ...

check("9.5", line)

# %% [markdown]
# <details><summary>Solution 9.5</summary>
#
# ```python
# line = "E"
# ```
#
# The seed is set *after* the initial weights have been drawn, so that only the order of the pictures is shared, not
# the weights. Line E belongs before D; then all differences are exactly 0. To compare a thing with itself (an *A/A
# test*) costs one run, and finds what no look at results can: the pairs that were none.
# </details>

# %% [markdown]
# ## What to read next
#
# * `minialex/data/pipeline.py`, `Pipeline`: the order of normalisation, crop, flip and noise, in one place.
# * `minialex/data/color.py`, `ColorNoise`, both readings; `minialex/data/moments.py`, `Sums.statistics`: the axes,
#   from whole numbers, so that no order of adding changes them.
# * `minialex/training/evaluation.py`, `log_probabilities`: the jury, with logarithms.
# * `minialex/training/recipes/`: `paper.toml` and `2012.toml`, by which `alexnet` and `alexnet_2012` are trained.
#
# Next: [lesson 10](10_cuda.ipynb), where all of this is computed by a GPU that is not there.
