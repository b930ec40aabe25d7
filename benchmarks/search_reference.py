"""The reference dock's own search on given specifications; runs in an environment of its own.

Reads an archive with ``atoms`` [sum K, d], ``weights`` [sum K] and ``counts`` [N], the K of each specification, and the
same of tasks with ``task_`` before; prints JSON: seconds of each search, and the weights by id that each
search gives: of its mixture, or of its best single where it offers none.
"""

import json
import sys
import time

from learnware.learnware import Learnware
from learnware.market import BaseUserInfo, instantiate_learnware_market
from learnware.market.easy import EasyStatSearcher
from learnware.specification import RKMETableSpecification, Specification, generate_semantic_spec
import numpy as np

KIND = "RKMETableSpecification"
SEMANTIC = generate_semantic_spec(
    name="a learnware",
    description="a learnware",
    data_type="Table",
    task_type="Classification",
    library_type="Scikit-learn",
    scenarios=["Education"],
    license="MIT",
    input_description={"Dimension": 30, "Description": {}},
    output_description={"Dimension": 2, "Description": {}},
)


def specification(atoms: np.ndarray, weights: np.ndarray) -> RKMETableSpecification:
    """Their specification object."""
    import torch

    made = RKMETableSpecification(cuda_idx=-1)
    made.z, made.beta = torch.from_numpy(atoms).double(), torch.from_numpy(weights).double()
    return made


def specifications(arrays: dict[str, np.ndarray], name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Atoms and weights of each specification."""
    ends = np.cumsum(arrays[f"{name}counts"]).astype(int)[:-1]
    return list(zip(*(np.split(arrays[name + what], ends) for what in ("atoms", "weights")), strict=True))


def noted_mixtures() -> list[dict[str, float]]:
    """What its search for mixtures finds from now on, as weights by id; what it answers tells no weights."""
    noted, greedy = [], EasyStatSearcher._search_by_rkme_spec_mixture_greedy

    def noting(*arguments: object, **named: object) -> object:
        found = greedy(*arguments, **named)
        noted.append({one.id: float(weight) for weight, one in zip(found[1], found[2], strict=True)})
        return found

    EasyStatSearcher._search_by_rkme_spec_mixture_greedy = noting
    return noted


def main() -> None:
    """Fill a market in memory, search it."""
    with np.load(sys.argv[1]) as data:
        arrays = dict(data)
    market = instantiate_learnware_market(market_id="benchmark", name="easy", rebuild=True)
    organizer = market.learnware_organizer
    for number, (atoms, weights) in enumerate(specifications(arrays, "")):
        name = f"{number + 1:08d}"
        spec = Specification(semantic_spec=SEMANTIC)
        spec.update_stat_spec(specification(atoms, weights))
        organizer.learnware_list[name] = Learnware(name, {}, spec, "")
        organizer.use_flags[name] = 1
    mixed = noted_mixtures()
    seconds, answers = [], []
    for atoms, weights in specifications(arrays, "task_"):
        asked = BaseUserInfo(semantic_spec=SEMANTIC, stat_info={KIND: specification(atoms, weights)})
        began = time.perf_counter()
        results = market.search_learnware(asked)
        seconds.append(time.perf_counter() - began)
        multiple = results.get_multiple_results()
        answers.append(mixed[-1] if multiple else {results.get_single_results()[0].learnware.id: 1.0})
    print("RESULT " + json.dumps({"seconds": seconds, "weights": answers}))


if __name__ == "__main__":
    main()
