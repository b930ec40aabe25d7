"""Running strangers' models: the port, its executors, and the model process on top of them."""

from learndock.sandbox.faults import FaultKind, ModelFault

__all__ = ["FaultKind", "ModelFault"]
