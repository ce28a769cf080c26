"""The ablation lab: a network and variants of it, trained alike, and what each difference does to the error.

words.py        what each word of --without and --adding changes, and what was measured for it in 2012
experiment.py   which runs there are: base, variants, seeds, settings; from options or a recipe file
lab.py          trains them one after another, in one folder, resumably
deltas.py       the errors, the differences from the base, their intervals; as a table
race.py         a race to a training error: figure 1 of the paper
"""
