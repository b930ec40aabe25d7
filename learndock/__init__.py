"""Learndock: a learnware dock.

`Dock` is a connection to a dock, `specify` summarises a data set as a `Specification`,
`specify_privately` with differential privacy. They are imported when
first used, so that `import learndock` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from learndock.client.dock import Dock
    from learndock.client.specifying import specify, specify_privately
    from learndock.rkme.specification import Specification

__all__ = ["Dock", "Specification", "specify", "specify_privately"]

_HOMES = {
    "Dock": "learndock.client.dock",
    "Specification": "learndock.rkme.specification",
    "specify": "learndock.client.specifying",
    "specify_privately": "learndock.client.specifying",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'learndock' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
