"""Experiments: each measures one thing on this machine, and shows it as a table, a picture and a sentence.

An experiment is a module in `labkit/labs/<stem>/experiments`. It offers

- `TITLE`: what it shows, a few words;
- `measure(lab)`: runs it with the lab file `lab`, within a minute on two cores, with fixed seeds; returns JSON data;
- `table(data)`: the rows of the table, headings first;
- `notice(data)`: a sentence or two on what to notice, every figure in it taken from `data`;
- `draw(data)`: the picture;
- `TIMED = True`, if it reports seconds: then `make figures` measures it while nothing else runs.

Only `measure` computes. The others show data that was just measured, or that a JSON file kept.
"""
