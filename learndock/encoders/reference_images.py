"""Image specifications of the reference engine, brought into the space of our encoder."""

from __future__ import annotations

from dataclasses import replace

from learndock.errors import InvalidInput, Reason
from learndock.rkme.interchange import REFERENCE_PIXELS
from learndock.rkme.specification import Specification


def comparable(specification: Specification) -> Specification:
    """A specification as others can be compared with it: the reference's pictures encoded, all else as it is."""
    return encode_reference_atoms(specification) if specification.encoder == REFERENCE_PIXELS else specification


def encode_reference_atoms(specification: Specification) -> Specification:
    """The same weighted atoms as vectors of our image encoder, so that a search can compare them with ours.

    The reference publishes atoms that are pictures [C, 32, 32], optimised from noise, standardised over the owner's
    data set and, unless grey, whitened; it publishes neither the means nor the whitening, so the owner's pixels cannot
    be had back. What becomes of it: **grey** atoms lose only a brightness and contrast, which our encoder takes out of
    every picture anyway; **colour** atoms remain whitened pictures, whose edges are exaggerated and whose colours are
    flattened against those of real photographs, and rank accordingly. Fidelity and privacy were measured elsewhere and
    are left out.

    Parameters
    ----------
    specification
        As `learndock.rkme.interchange.read_reference` gives it.

    Raises
    ------
    InvalidInput
        It is none of the reference's image specifications.
    """
    if specification.encoder != REFERENCE_PIXELS or len(specification.item_shape) != 3:
        raise InvalidInput(
            Reason.SPECIFICATION_INVALID,
            f"Pixel atoms [C, H, W] of {REFERENCE_PIXELS} are needed, not {list(specification.item_shape)}"
            f" of {specification.encoder or 'a table'}.",
            field="specification.encoder",
        )
    # Only where pictures are encoded: these import torch, which takes seconds the first time.
    from learndock.encoders.images import Images
    from learndock.encoders.pixels import Layout
    from learndock.encoders.random_convolution import RandomConvolutionEncoder

    encoder = RandomConvolutionEncoder()
    pictures = specification.atoms.reshape(-1, *specification.item_shape)
    return replace(
        specification,
        atoms=encoder.encode(Images.of(pictures, layout=Layout.CHANNELS_FIRST)),
        encoder=encoder.name,
        encoder_revision=encoder.revision,
        item_shape=(),
        input=None,
        fidelity=None,
        privacy=None,
    )
