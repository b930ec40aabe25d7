"""From images or texts to a specification: encode, summarise, and say how."""

from __future__ import annotations

from dataclasses import replace

from learndock.encoders.encoder import Encoder, Items, Progress, silent
from learndock.encoders.languages import languages_of
from learndock.encoders.texts import Texts
from learndock.learnware import Modality
from learndock.rkme.fit import BuildOptions, build_specification
from learndock.rkme.specification import Specification

# Encoding takes most of the time.
_ENCODING_SHARE = 0.8


def encode_specification(
    items: Items,
    encoder: Encoder,
    *,
    options: BuildOptions | None = None,
    progress: Progress | None = None,
) -> Specification:
    """Specification of images or texts, in the space of an encoder.

    Parameters
    ----------
    items
        What the encoder reads: arrays, lists, or the path of a file or folder.
    encoder
        Such as `registry.default_encoder(Modality.IMAGE)`.
    options
        How the vectors are summarised; by default as tables are.
    progress
        Told what is done; may raise to stop.

    Returns
    -------
    Specification
        With encoder, revision and, for texts, the languages that could be told.

    Raises
    ------
    InvalidInput
        The items cannot be encoded, or are too few.
    FailedPrecondition
        The encoder's package is not installed.
    """
    report = progress or silent
    if encoder.modality is Modality.TEXT:
        texts = Texts.of(items)
        items = texts.values
    vectors = encoder.encode(items, progress=lambda stage, share: report(stage, share * _ENCODING_SHARE))
    specification = build_specification(
        vectors,
        options=options or BuildOptions(),
        progress=lambda stage, share: report(stage, _ENCODING_SHARE + share * (1 - _ENCODING_SHARE)),
    )
    return replace(
        specification,
        modality=encoder.modality,
        encoder=encoder.name,
        encoder_revision=encoder.revision,
        languages=languages_of(texts.values) if encoder.modality is Modality.TEXT else (),
    )
