"""Requirements of pip and of conda become lines that pip understands."""

from __future__ import annotations

import json
from pathlib import Path
import zipfile

import pytest

from learndock.errors import InvalidInput, Reason
from learndock.package.archive import PackageArchive
from learndock.package.requirements import Requirements, parse_environment, parse_requirements, read_requirements

CONDA = b"""
name: example
channels: [defaults]
dependencies:
  - python=3.8.18=h955ad1f_0
  - numpy=1.24.4=py38h14f4228_0
  - conda-forge::scipy=1.10
  - pandas>=1.5,<3
  - pytorch==1.13
  - openssl=3.0.11
  - libgcc-ng=11.2.0
  - pip
  - requests
  - pip:
    - joblib==1.3.2   # a comment
    - scikit-learn==1.3.2
    - learnware==0.3.2
"""


def test_pips_own_format() -> None:
    text = """# comment
numpy==1.24.4

scikit-learn >= 1.2, < 2  # why
Learnware
pandas \\
 ==2.0
torch; python_version > '3.9'
"""
    requirements = parse_requirements(text)
    assert requirements.lines == (
        "numpy==1.24.4",
        "scikit-learn<2,>=1.2",
        "pandas==2.0",
        'torch; python_version > "3.9"',
    )
    assert requirements.dropped == ("Learnware",)


def test_condas_format_is_translated() -> None:
    requirements = parse_environment(CONDA, "environment.yaml")
    assert requirements.python == "3.8.18"
    assert requirements.lines == (
        "numpy==1.24.4",
        "scipy==1.10.*",
        "pandas<3,>=1.5",
        "torch==1.13",
        "requests",
        "joblib==1.3.2",
        "scikit-learn==1.3.2",
    )
    assert requirements.dropped == ("openssl=3.0.11", "libgcc-ng=11.2.0", "pip", "learnware==0.3.2")


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("numpy", "numpy"),
        ("numpy *", "numpy"),
        ("numpy 1.24.4", "numpy==1.24.4"),
        ("numpy 1.24.*", "numpy==1.24.*"),
        ("numpy 1.24*", "numpy==1.24.*"),
        ("numpy=1.24.*", "numpy==1.24.*"),
        ("numpy = 1.24", "numpy==1.24.*"),
        ("numpy >=1.24, <2", "numpy<2,>=1.24"),
        ("numpy>=1.24.*", "numpy>=1.24"),
        ("numpy >=1.24,!=1.25.*", "numpy!=1.25.*,>=1.24"),
        ("numpy ~=1.24.1", "numpy~=1.24.1"),
        ("numpy >=1.24 py311_0", "numpy>=1.24"),
        ("numpy 1.24.4 py311h64a7726_0", "numpy==1.24.4"),
        ("numpy==1.24.4=py311h64a7726_0", "numpy==1.24.4"),
        ("conda-forge/linux-64::numpy==1.24.4", "numpy==1.24.4"),
        ("numpy[version='>=1.24,<2',build=py311_0]", "numpy<2,>=1.24"),
        ("pytorch=1.13.1=py3.8_cuda11.7_cudnn8.5.0_0", "torch==1.13.1"),
        ("Matplotlib-Base", "matplotlib"),
        ("librosa=0.10", "librosa==0.10.*"),
        ("tzdata=2024a=h04d1e81_0", None),
        ("pytorch-cuda=11.7=h778d358_3", None),
        ("mkl_fft=1.3.8", None),
    ],
)
def test_each_form_of_conda(spec: str, line: str | None) -> None:
    requirements = parse_environment(f"dependencies: [{json.dumps(spec)}]".encode(), "environment.yaml")
    assert requirements.lines == ((line,) if line else ())
    assert requirements.dropped == (() if line else (spec,))


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("numpy 1.24|1.25", "alternatives"),
        ("numpy >=1.24|<1.20,!=1.1", "alternatives"),
        ("r-base=4.3", "packages of R"),
        ("numpy[md5=d41d8cd98f00b204]", "md5"),
        ("numpy[version='>=1'", "not a package"),
        ("three words of text", "version"),
        ("numpy @ https://example.org/x.whl", "no version"),
        ("numpy >=new?", "version"),
        ("https://example.org/linux-64/numpy-1.24.conda", "no version"),
    ],
)
def test_the_line_of_conda_that_has_no_wheel_is_named(spec: str, why: str) -> None:
    text = f"name: x\ndependencies:\n  - scipy\n  - {spec}\n"
    with pytest.raises(InvalidInput) as caught:
        parse_environment(text.encode(), "environment.yaml")
    assert caught.value.reason is Reason.UNSUPPORTED_DEPENDENCY
    assert f"{spec!r} in environment.yaml, line 4," in caught.value.message
    assert why in caught.value.message


def test_bounds_on_python_are_told_as_they_are() -> None:
    for spec, python in (("python >=3.8,<3.10", ">=3.8,<3.10"), ("python=3.8", "3.8"), ("python", None)):
        assert parse_environment(f"dependencies: ['{spec}']".encode(), "environment.yaml").python == python


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org",
        "-r other.txt",
        "-e .",
        "git+https://example.org/x.git",
        "https://example.org/x-1.0-py3-none-any.whl",
        "x @ https://example.org/x.whl",
        "./local",
        "/absolute/x.whl",
        "numpy==1.0 --hash=sha256:abc",
        "two words",
        "numpy==not a version",
    ],
)
def test_what_is_no_package_and_version_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_requirements(f"numpy\n{line}\n")
    assert caught.value.reason is Reason.UNSUPPORTED_DEPENDENCY
    assert caught.value.field == "requirements"


@pytest.mark.parametrize(
    "data",
    [b"dependencies: x", b"[1]", b"dependencies: [{conda: [a]}]", b"dependencies: [{pip: x}]", b"dependencies: [3]"],
)
def test_environments_of_another_form_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_environment(data, "environment.yaml")


def read(tmp_path: Path, files: dict[str, bytes]) -> Requirements:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    with PackageArchive.open(path) as opened:
        return read_requirements(opened)


def test_the_environment_wins_and_none_is_fine(tmp_path: Path) -> None:
    assert read(tmp_path, {"environment.yaml": CONDA, "requirements.txt": b"xgboost"}).source == "environment.yaml"
    assert read(tmp_path, {"requirements.txt": b"\xef\xbb\xbfxgboost"}).lines == ("xgboost",)
    assert read(tmp_path, {"other": b""}) == Requirements()
    with pytest.raises(InvalidInput):
        read(tmp_path, {"requirements.txt": b"\xff"})
