"""`learnware.yaml`: which class is the model, and where its specifications are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
import keyword
from pathlib import PurePosixPath
from typing import NoReturn

import yaml

from learndock.errors import InvalidInput, Reason

MANIFEST_NAME = "learnware.yaml"
MAX_MANIFEST_BYTES = 64 * 2**10
MAX_DEPTH = 32

RKME_CLASSES = frozenset(
    {"RKMETableSpecification", "RKMETextSpecification", "RKMEImageSpecification", "RKMEStatSpecification"}
)
"""Specification classes that hold a reduced kernel mean embedding; the last is the reference's name of 2023."""
OTHER_CLASSES = frozenset({"GenerativeModelSpecification", "LLMGeneralCapabilitySpecification"})
"""Classes of the reference for language models; taken, but not read."""

_SPECIFICATION_MODULE = "learnware.specification"


@dataclass(frozen=True)
class ModelEntry:
    """Which class is the model.

    Attributes
    ----------
    class_name
        Name of the class.
    kwargs
        Its constructor's arguments; plain JSON values.
    module_path
        The file that defines it, relative to the package's root.
    weights_file_path
        Where a language model keeps its weights.
    required_learnware_ids
        Learnwares without which it cannot work.
    """

    class_name: str = "Model"
    kwargs: Mapping[str, object] = field(default_factory=dict)
    module_path: str = "__init__.py"
    weights_file_path: str = "weights"
    required_learnware_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpecificationEntry:
    """A statistical specification in the package.

    Attributes
    ----------
    class_name
        The reference's class for it.
    file_name
        Its file, relative to the package's root.
    assumed
        Whether the manifest does not name it and the reference would look there anyway.
    """

    class_name: str
    file_name: str
    assumed: bool = False

    @property
    def is_rkme(self) -> bool:
        """Whether it holds a reduced kernel mean embedding."""
        return self.class_name in RKME_CLASSES


DEFAULT_SPECIFICATION = SpecificationEntry("RKMETableSpecification", "stat_spec.json", assumed=True)


@dataclass(frozen=True)
class Manifest:
    """What `learnware.yaml` says.

    Attributes
    ----------
    model
        The model.
    specifications
        Its statistical specifications.
    semantic_file
        File of the semantic specification, if named.
    name
        Free name.
    learnware_id
        Id that another dock gave it; of no meaning here.
    """

    model: ModelEntry = ModelEntry()  # frozen
    specifications: tuple[SpecificationEntry, ...] = (DEFAULT_SPECIFICATION,)
    semantic_file: str | None = None
    name: str = ""
    learnware_id: str = ""


def parse_manifest(data: bytes) -> Manifest:
    """The manifest in `data`, with the reference's defaults where it says nothing.

    Raises
    ------
    InvalidInput
        MANIFEST_INVALID: not YAML, or a key holds what it must not; the field names the key.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        refuse("manifest", f"{MANIFEST_NAME} has more than {MAX_MANIFEST_BYTES} bytes.")
    document = _mapping(load_yaml(data, "manifest"), "manifest")
    model = _mapping(document.get("model"), "manifest.model")
    semantic = _mapping(document.get("semantic_specification"), "manifest.semantic_specification")
    return Manifest(
        model=_model(model),
        specifications=_specifications(document),
        semantic_file=_file(semantic, "file_name", None, "manifest.semantic_specification"),
        name=str(document.get("name") or ""),
        learnware_id=str(document.get("id") or ""),
    )


def load_yaml(data: bytes, where: str) -> object:
    """The value of a YAML text that holds only plain values, no aliases and no tags but `!!python/tuple`.

    Raises
    ------
    InvalidInput
        MANIFEST_INVALID, about the field `where`.
    """
    try:
        loader = _PlainLoader(data.decode("utf-8"))
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        refuse(where, f"The file is not plain YAML: {' '.join(str(error).split())[:300]}")


def refuse(where: str, message: str) -> NoReturn:
    """Raise the error that a manifest's key is wrong."""
    raise InvalidInput(Reason.MANIFEST_INVALID, message, field=where)


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader without aliases, duplicate keys, deep nesting and typed scalars other than numbers and text."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.YAMLError("anchors and aliases are not allowed")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"nested deeper than {MAX_DEPTH}")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002  # as inherited
        mapping: dict[Hashable, object] = super().construct_mapping(node, deep=deep)  # type: ignore[arg-type]
        if isinstance(node, yaml.MappingNode) and len(mapping) != len(node.value):
            raise yaml.YAMLError("a key stands twice in a mapping")
        return mapping

    def construct_plain_list(self, node: yaml.Node) -> list[object]:
        return [self.construct_object(child, deep=True) for child in node.value]

    def construct_text(self, node: yaml.Node) -> str:
        return str(node.value)

    def construct_refused(self, node: yaml.Node) -> NoReturn:
        raise yaml.YAMLError(f"the tag {node.tag} is not allowed")


for _tag in ("binary", "omap", "pairs", "set"):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _PlainLoader.construct_refused)
_PlainLoader.add_constructor("tag:yaml.org,2002:timestamp", _PlainLoader.construct_text)
_PlainLoader.add_constructor("tag:yaml.org,2002:python/tuple", _PlainLoader.construct_plain_list)


def _model(model: Mapping[str, object]) -> ModelEntry:
    where = "manifest.model"
    ids = model.get("required_learnware_ids") or []
    if not isinstance(ids, list) or not all(isinstance(each, str | int) for each in ids):
        refuse(f"{where}.required_learnware_ids", "Required learnwares must be a list of ids.")
    return ModelEntry(
        class_name=_class_name(model.get("class_name", "Model"), f"{where}.class_name"),
        kwargs=_mapping(model.get("kwargs"), f"{where}.kwargs"),
        module_path=_module_path(model.get("module_path", "__init__.py")),
        weights_file_path=_file(model, "weights_file_path", "weights", where) or "weights",
        required_learnware_ids=tuple(f"{each:08d}" if isinstance(each, int) else each for each in ids),
    )


def _class_name(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.isidentifier() or keyword.iskeyword(value):
        refuse(where, f"{value!r} is not the name of a class.")
    return value


def _module_path(value: object) -> str:
    where = "manifest.model.module_path"
    if not isinstance(value, str) or not value.endswith(".py"):
        refuse(where, f"The model's module must be a .py file of the package, not {value!r}.")
    return _relative(value, where)


def _specifications(document: Mapping[str, object]) -> tuple[SpecificationEntry, ...]:
    where = "manifest.stat_specifications"
    if "stat_specifications" not in document:
        return (DEFAULT_SPECIFICATION,)
    entries = document["stat_specifications"] or []
    if not isinstance(entries, list):
        refuse(where, "Statistical specifications must be a list.")
    return tuple(_specification(_mapping(entry, f"{where}[{i}]"), f"{where}[{i}]") for i, entry in enumerate(entries))


def _specification(entry: Mapping[str, object], where: str) -> SpecificationEntry:
    module = entry.get("module_path", _SPECIFICATION_MODULE)
    if not isinstance(module, str) or not f"{module}.".startswith(f"{_SPECIFICATION_MODULE}."):
        refuse(f"{where}.module_path", f"Specifications come from {_SPECIFICATION_MODULE}, not from {module!r}.")
    class_name = entry.get("class_name")
    if class_name not in RKME_CLASSES | OTHER_CLASSES:
        refuse(f"{where}.class_name", f"{class_name!r} is not a known kind of specification.")
    return SpecificationEntry(str(class_name), _file(entry, "file_name", None, where) or _missing(where))


def _missing(where: str) -> NoReturn:
    refuse(f"{where}.file_name", "The specification's file is not named.")


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        refuse(where, "There must be a mapping with text as keys.")
    return value


def _file(mapping: Mapping[str, object], key: str, default: str | None, where: str) -> str | None:
    value = mapping.get(key, default)
    if value is None:
        return None
    if not isinstance(value, str):
        refuse(f"{where}.{key}", "There must be the name of a file.")
    return _relative(value, f"{where}.{key}")


def _relative(value: str, where: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in value or "\0" in value:
        refuse(where, f"{value!r} is not a path inside the package.")
    return str(path)
