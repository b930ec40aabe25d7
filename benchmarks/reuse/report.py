"""docs/evaluation.md, written from the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import json
import math
from pathlib import Path
import sys
from typing import Any

PUBLISHED = """\
## Published figures of the reference dock

From its own documents, on other data: tables are root mean squared errors, the others accuracy. They are printed to
tell sizes, not as a comparison on the same rows.

| experiment | mean in market | best in market | top-1 | job selector | average |
|---|---|---|---|---|---|
| tables, PFS, 53 learnwares, 53 users | .897 | .756 | .830 | .848 | .816 |
| tables with other features, PFS, 265 / 41 | 1.459 | 1.038 | 1.075 | - | 1.064 |
| images, CIFAR-10, 50 / 100 | .345 | .696 | .594 | .594 | .690 |
| text, 20 newsgroups, 50 / 10 | .507 | .859 | .846 | .845 | .862 |
"""

REFERENCE = """\
## The reference beside ours

Rows that begin with `reference` are the reference engine's own search and reusers, run in an environment of its own
over the same models, on specifications in its format that hold the same atoms: `reference_top1` and
`reference_average` take what its search found (its mixture where it offers one), `reference_average_our_members`
averages the members that our default asks, `reference_job_selector` is run for the first user only, because it herds
and boosts for minutes each, and not on texts, for which it would fetch a sentence model. Its ensemble pruning needs
`geatpy`, which is built for no current Python, so that it cannot be run here; its feature augmentation is run across
feature spaces only.
"""

EARLIER = " Figures of an earlier run, by the code of its day."

FAILURES = """\
## Where it fails

- **Orange juice without past sales.** Prices and promotions are nearly the same in all stores, so the inputs hardly
  tell whose model fits: compare its table with that of the same stores with past sales. Labels decide there.
- **Flights from New York.** What is known before a departure tells next to nothing of its delay: the best learnware in
  the market is hardly better than any other, and a model of one's own thousand flights hardly better than that. The
  share of the gap that reuse closes says little where there is hardly a gap: look at the losses. A dock cannot know
  that: its answer is near in inputs, and says no more than that.
"""


def page(result: Mapping[str, Any], across: Mapping[str, Any] | None = None) -> str:
    """The page of figures such as `python -m benchmarks.reuse` writes, and `benchmarks.hetero` where they are there."""
    parts = [
        "# Evaluation of reuse\n",
        f"Written by `make bench-reuse`{' on its small setting' if result['small'] else ''} from"
        " `benchmarks/results/reuse.json`. A market of owners' models on each data set; users have rows"
        " to predict, without labels and with some. *Gap closed* is (random - method) / (random - best): 1 is the best"
        " single learnware in the market, which nobody can know beforehand; above 1 several together are better."
        " `default` is `Dock.reuse` told nothing but the rows to predict (`unlabelled`), of which it learns which"
        " classes occur; `default_not_adapted` has not seen them beforehand. For numbers they are one.\n",
        *(line for name, figures in result["datasets"].items() for line in _experiment(name, figures)),
        _overhead(result["overhead"]),
        *(_across(across) if across else ()),
        REFERENCE,
        PUBLISHED,
        FAILURES + "".join(_behind(result["datasets"])),
    ]
    return "\n".join(parts)


def _behind(datasets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Experiments on which the plain mean of our members, by the reference, is ahead of our default."""
    for figures in datasets.values():
        losses = figures["losses"]
        theirs, ours = losses.get("reference_average_our_members", {}).get("mean", math.inf), losses["default"]["mean"]
        if round(theirs, 4) < round(ours, 4):
            yield (
                f"- **{figures['title']}.** The plain mean of the very members that our default asks loses"
                f" {theirs:.4f}, our default {ours:.4f}.\n"
            )


def _experiment(name: str, figures: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {figures['title']}\n"
    earlier = EARLIER if figures.get("earlier") else ""
    yield f"{figures['owners']} owners, {figures['users']} users; {figures['metric']}.{earlier}\n"
    yield "| method, no labels | loss | deviation over users | gap closed |\n|---|---|---|---|"
    for method, row in figures["losses"].items():
        closed = figures["gaps"].get(method)
        yield f"| {method} | {row['mean']:.4f} | {row['std']:.4f} | {'' if closed is None else f'{closed:.2f}'} |"
    yield ""
    if figures["curves"]:
        yield from _curves(figures["curves"])
        yield f"\n![loss against labels](../benchmarks/results/reuse-{name}.png)\n"


def _overhead(figures: Mapping[str, Any]) -> str:
    ratios = ", ".join(
        f"{name.removesuffix('_ratio').upper()} {ratio:.2f}"
        for name, ratio in figures.items()
        if name.endswith("_ratio")
    )
    return (
        "## What reuse costs\n\nFive random forests in sandboxes predict 10,000 rows of 64 numbers together; in"
        " multiples of the time that the same models take called directly, one after the other"
        f" ({figures['members_seconds']:.1f} s, executor `{figures['executor']}`): {ratios}."
        f"{EARLIER if figures.get('earlier') else ''}\n"
    )


ACROSS = """\
## Across feature spaces

Written by `make bench-hetero`. Owners and users describe their columns in different words and units and in another
order; [decision 80](decisions/0080-columns-by-meaning.md) tells how they are matched. `self_` rows are models of the
labels alone; `mean_filled` is FEATURE_AUGMENT over members whose missing columns are filled with their mean.
`reference` is the reference engine's own search and reuse across feature spaces, by its defaults, over the same models
and specifications: its map of column names trained on the market's learnwares, the first answer's features aligned, and
augmented by the labels. Two lines stand in for what it lacks here: the tokenizer that it would download is taken from
our sentence encoder, whose vocabulary is the same, and scikit-learn is asked without an option that has a new name.
Where nothing fits, all strategies are `self_ridge`.
"""


def _across(figures: Mapping[str, Any]) -> Iterator[str]:
    yield ACROSS
    for name, title in (("air", "Beijing air"), ("orange_juice", "Orange juice"), ("cheese", "Cheese by orange juice")):
        told = figures[name]
        yield f"### {title}: {told['answered']} of {told['users']} users are offered something\n"
        if told["unlabelled"]:
            losses = ", ".join(f"{method} {loss:.3f}" for method, loss in told["unlabelled"].items())
            yield f"Without labels: {losses}.\n"
        theirs = told.get("reference")
        if theirs:
            yield f"The reference without labels: {theirs['unlabelled']:.3f} (the first {theirs['users']} users).\n"
        yield from _plain_curves(told["labelled"], theirs["labelled"] if theirs else {})
    yield (
        f"In a market of {figures['learnwares']} learnwares {figures['schema_first']:.1%} of searches have the user's"
        f" kind of data first; {figures['homogeneous_answers_changed']} answers of users with learnwares' own columns"
        " change by the others being there.\n"
    )


def _plain_curves(curves: Mapping[str, Mapping[str, float]], reference: Mapping[str, float]) -> Iterator[str]:
    yield "| loss with labelled rows | " + " | ".join(curves) + " |\n|---|" + "---|" * len(curves)
    for method in next(iter(curves.values())):
        yield f"| {method} | " + " | ".join(f"{losses[method]:.3f}" for losses in curves.values()) + " |"
    if reference:
        yield "| reference | " + " | ".join(f"{reference[count]:.3f}" for count in curves) + " |"
    yield ""


def _curves(curves: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    yield "| loss with labelled rows | " + " | ".join(curves) + " |\n|---|" + "---|" * len(curves)
    for method in next(iter(curves.values())):
        yield f"| {method} | " + " | ".join(f"{row[method]['mean']:.4f}" for row in curves.values()) + " |"


def read(path: Path) -> Mapping[str, Any] | None:
    """Figures of a file, if it is there."""
    return json.loads(path.read_text()) if path.exists() else None


if __name__ == "__main__":
    made = read(Path(sys.argv[1])) or {}
    Path("docs/evaluation.md").write_text(page(made, read(Path("benchmarks/results/hetero.json"))))
