"""Requirements of pip and of conda become lines that pip understands."""

from __future__ import annotations

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
    "data", [b"dependencies: x", b"[1]", b"dependencies: [{conda: [a]}]", b"dependencies: [{pip: x}]"]
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
