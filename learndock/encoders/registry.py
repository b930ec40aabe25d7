"""Encoders by name."""

from __future__ import annotations

from collections.abc import Mapping

from learndock.encoders.encoder import Encoder
from learndock.encoders.glove import GloveEncoder
from learndock.encoders.minilm import MiniLMEncoder
from learndock.encoders.random_convolution import RandomConvolutionEncoder
from learndock.errors import InvalidInput, Reason
from learndock.learnware import Modality

_ALL: tuple[Encoder, ...] = (RandomConvolutionEncoder(), MiniLMEncoder(), GloveEncoder())
_BY_NAME: Mapping[str, Encoder] = {one.name: one for one in _ALL}
# The first of a modality, whatever is installed: a specification must not depend on what else a machine has.
_DEFAULTS: Mapping[Modality, Encoder] = {one.modality: one for one in reversed(_ALL)}


def names() -> tuple[str, ...]:
    """Names of all encoders, whether or not their packages are installed."""
    return tuple(_BY_NAME)


def encoder(name: str) -> Encoder:
    """The encoder of a name, ready for use.

    Raises
    ------
    InvalidInput
        There is none of that name.
    FailedPrecondition
        The package that carries its weights is not installed; the message tells which extra brings it.
    """
    if name not in _BY_NAME:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"There is no encoder {name!r}; there are {', '.join(names())}.", field="encoder"
        )
    return _checked(_BY_NAME[name])


def default_encoder(modality: Modality) -> Encoder:
    """The encoder to take for images or texts where nobody asks for another.

    Raises
    ------
    InvalidInput
        Tables are not encoded.
    FailedPrecondition
        The package that carries its weights is not installed; the message tells which extra brings it.
    """
    if modality not in _DEFAULTS:
        raise InvalidInput(Reason.FIELD_INVALID, "Tables are not encoded.", field="modality")
    return _checked(_DEFAULTS[modality])


def encoder_for(modality: Modality, name: str) -> Encoder:
    """The encoder of a name, or the default of a modality where the name is empty.

    Raises
    ------
    InvalidInput
        There is none, or it encodes something else.
    FailedPrecondition
        The package that carries its weights is not installed.
    """
    found = encoder(name) if name else default_encoder(modality)
    if found.modality is not modality:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"{name} encodes {found.modality.lower()}, not {modality.lower()}.", field="encoder"
        )
    return found


def _checked(found: Encoder) -> Encoder:
    # Asking for the revision looks for the package, and loads nothing.
    _ = found.revision
    return found
