"""Making packages in the reference's format from a model and its specifications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import importlib.metadata
import io
from pathlib import Path
import pickle
import stat
import sys
from typing import Any, Literal, Protocol, TypeGuard
import warnings
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray
from packaging.version import Version
import yaml

from learndock.errors import InvalidInput, Reason
from learndock.learnware import SemanticSpecification
from learndock.package.archive import ArchiveLimits
from learndock.package.inspection import inspect_package
from learndock.package.manifest import MANIFEST_NAME
from learndock.package.model_sources import ESTIMATOR, TORCH
from learndock.package.pickles import list_globals
from learndock.package.requirements import REQUIREMENTS_NAME
from learndock.package.semantic import SEMANTIC_NAME, check_semantic, semantic_json, with_input_of
from learndock.rkme.interchange import write_reference
from learndock.rkme.specification import Specification

Method = Literal["predict", "predict_proba"]

_SPECIFICATION_NAME = "stat_spec.json"
_CLASS_NAMES = {"Table": "RKMETableSpecification", "Image": "RKMEImageSpecification", "Text": "RKMETextSpecification"}
# The same content gives the same bytes, whenever it is packed; the earliest time that a zip can hold.
_TIME = (1980, 1, 1, 0, 0, 0)


class Estimator(Protocol):
    """A fitted scikit-learn estimator."""

    def predict(self, X: Any) -> Any:  # noqa: ANN401, D102, N803  # scikit-learn's own signature
        ...


@dataclass(frozen=True)
class SourceModel:
    """A model given as the text of its module.

    Attributes
    ----------
    source
        Text of `__init__.py`, with a class that has `predict(X)` and inherits `learnware.model.BaseModel`.
    class_name
        Name of the class.
    kwargs
        Its constructor's arguments; plain JSON values.
    arrays
        Written to `weights.npz` beside the module.
    files
        Other files beside the module, by name.
    """

    source: str
    class_name: str = "Model"
    kwargs: Mapping[str, object] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


def build_package(
    path: Path,
    *,
    model: object,
    semantic: SemanticSpecification,
    specification: Specification,
    method: Method | None = None,
    requirements: Sequence[str] | None = None,
    required_learnware_ids: Sequence[str] = (),
) -> None:
    """Write a package to `path` and inspect it as a dock would.

    Parameters
    ----------
    path
        Where to; replaced if it exists.
    model
        A fitted scikit-learn estimator, a `torch.nn.Module`, or a `SourceModel`.
    semantic
        What the model is for; the Input of a table may be left out, it is then taken from the specification.
    specification
        Of the data that it was trained on.
    method
        What the model gives. For an estimator: `predict_proba` (default for classification where it has it; the
        columns of unseen classes are zero) or `predict`. For a module: `predict` gives what the module returns,
        `predict_proba` the softmax of it.
    requirements
        Lines of `requirements.txt`; default: what the model needs, in the versions that are installed here.
    required_learnware_ids
        Learnwares that this one is made of.

    Raises
    ------
    InvalidInput
        The parts do not fit together, or the model needs code that is in no installed package.
    """
    semantic = with_input_of(semantic, specification)
    check_semantic(semantic)
    parts = _parts(model, semantic, specification, method)
    files = {
        **parts.files,
        "__init__.py": parts.source.encode(),
        MANIFEST_NAME: _manifest(parts, semantic, required_learnware_ids),
        REQUIREMENTS_NAME: "".join(f"{line}\n" for line in _lines(parts, requirements)).encode(),
        SEMANTIC_NAME: semantic_json(semantic),
        _SPECIFICATION_NAME: write_reference(specification),
    }
    _write_zip(path, files)
    try:
        inspect_package(path)
    except BaseException:
        path.unlink()
        raise


@dataclass(frozen=True)
class _Parts:
    """What a kind of model brings along: source, constructor arguments, files, and the modules that it imports."""

    source: str
    kwargs: Mapping[str, object]
    files: Mapping[str, bytes]
    modules: tuple[str, ...]
    class_name: str = "Model"


def _parts(
    model: object, semantic: SemanticSpecification, specification: Specification, method: Method | None
) -> _Parts:
    if isinstance(model, SourceModel):
        return _source_parts(model)
    if _is_torch(model):
        return _torch_parts(model, semantic, specification, method or "predict")
    if _is_estimator(model):
        default: Method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
        return _estimator_parts(model, semantic, specification, method or default)
    raise _unfit(f"{type(model).__name__} is neither an estimator, a Torch module nor a SourceModel.")


def _source_parts(model: SourceModel) -> _Parts:
    files = dict(model.files)
    if model.arrays:
        weights = io.BytesIO()
        np.savez(weights, **dict(model.arrays))  # type: ignore[arg-type]  # names are the caller's
        files["weights.npz"] = weights.getvalue()
    return _Parts(model.source, model.kwargs, files, ("numpy",), model.class_name)


def _is_torch(model: object) -> bool:
    torch = sys.modules.get("torch")  # a module of Torch exists only where Torch was imported
    return torch is not None and isinstance(model, torch.nn.Module)


def _torch_parts(
    model: Any,  # noqa: ANN401  # torch is imported only where it is used
    semantic: SemanticSpecification,
    specification: Specification,
    method: Method,
) -> _Parts:
    import torch

    kwargs: dict[str, object] = {
        "input_shape": list(specification.item_shape),
        "output_shape": [semantic.output.dimension if semantic.output else 1],
        "method": method,
    }
    example = torch.zeros(2, *specification.item_shape)
    return _Parts(TORCH, kwargs, {"model.pt": _torch_script(model, example)}, ("torch", "numpy"))


def _torch_script(model: Any, example: Any) -> bytes:  # noqa: ANN401
    import torch

    model = model.eval().cpu()
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Its successor, torch.export, imports a compiler to load a model and fixes what the example does.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        try:
            scripted = torch.jit.script(model)
        except Exception:  # whatever the compiler does not understand can still be traced
            scripted = torch.jit.trace(model, example)  # type: ignore[no-untyped-call]
        torch.jit.save(scripted, file)
    return file.getvalue()


def _is_estimator(model: object) -> TypeGuard[Estimator]:
    return callable(getattr(model, "predict", None))


def _estimator_parts(
    model: Estimator, semantic: SemanticSpecification, specification: Specification, method: Method
) -> _Parts:
    dimension = semantic.output.dimension if semantic.output else 1
    probabilities = method == "predict_proba"
    labels = semantic.task == "Classification" and not probabilities
    kwargs: dict[str, object] = {
        "input_shape": None if semantic.data == "Text" else list(specification.item_shape),
        "output_shape": [1 if labels else dimension],
        "method": method,
        "columns": _columns(model, dimension) if probabilities else None,
    }
    if labels and not _counts_from_zero(getattr(model, "classes_", np.arange(dimension)), dimension):
        raise _unfit("Labels must be numbers below the output's dimension; use predict_proba for others.")
    pickled = pickle.dumps(model, protocol=5)
    names = list_globals(io.BytesIO(pickled)).names
    modules = ("sklearn", "numpy", *(name.split(".", 1)[0] for name in names))
    return _Parts(ESTIMATOR, kwargs, {"model.pkl": pickled}, modules)


def _columns(model: Estimator, dimension: int) -> list[int]:
    """Where the estimator's probabilities belong among all classes of the task."""
    classes = np.asarray(getattr(model, "classes_", np.arange(dimension)))
    if _counts_from_zero(classes, dimension):
        return [int(label) for label in classes]
    if len(classes) > dimension:
        raise _unfit(f"The model tells {len(classes)} classes apart, the output has {dimension}.")
    return list(range(len(classes)))


def _counts_from_zero(classes: NDArray[Any], dimension: int) -> bool:
    classes = np.asarray(classes)
    if classes.dtype.kind not in "iufb":
        return False
    return bool(np.all((classes >= 0) & (classes < dimension) & (classes == np.floor(classes))))


def _manifest(parts: _Parts, semantic: SemanticSpecification, required_learnware_ids: Sequence[str]) -> bytes:
    model: dict[str, object] = {"class_name": parts.class_name, "kwargs": dict(parts.kwargs)}
    if required_learnware_ids:
        model["required_learnware_ids"] = list(required_learnware_ids)
    document = {
        "model": model,
        "stat_specifications": [
            {
                "module_path": "learnware.specification",
                "class_name": _CLASS_NAMES[semantic.data],
                "file_name": _SPECIFICATION_NAME,
                "kwargs": {},
            }
        ],
        "semantic_specification": {"file_name": SEMANTIC_NAME},
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def _lines(parts: _Parts, requirements: Sequence[str] | None) -> Iterable[str]:
    return installed_requirements(parts.modules) if requirements is None else requirements


def installed_requirements(modules: Iterable[str]) -> tuple[str, ...]:
    """Requirements that pin the installed distributions of some top-level modules; those of Python itself need none.

    Raises
    ------
    InvalidInput
        A module belongs to no installed distribution.
    """
    distributions = importlib.metadata.packages_distributions()
    lines = set()
    for module in set(modules) - sys.stdlib_module_names:
        if module not in distributions:
            raise _unfit(f"The model uses {module}, which no installed package holds; give it as a SourceModel.")
        name = distributions[module][0]
        lines.add(f"{name}=={Version(importlib.metadata.version(name)).public}")
    return tuple(sorted(lines))


def _unfit(message: str) -> InvalidInput:
    return InvalidInput(Reason.FIELD_INVALID, message, field="model")


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # Unix, whatever the machine
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name], _compression(files[name]))


def _compression(data: bytes) -> int:
    """Deflate, but for content so regular that it would look like a decompression bomb."""
    bomb_like = len(zlib.compress(data)) * ArchiveLimits().max_ratio < len(data)
    return zipfile.ZIP_STORED if bomb_like else zipfile.ZIP_DEFLATED
