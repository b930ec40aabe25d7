"""Dependencies as conda writes them, in pip's words where they have some."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement

# Packages whose conda name is not their name on the package index.
_PIP_NAMES = {
    "brotli-python": "brotli",
    "dask-core": "dask",
    "faiss": "faiss-cpu",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "pytables": "tables",
    "python-flatbuffers": "flatbuffers",
    "python-graphviz": "graphviz",
    "python-tzdata": "tzdata",
    "python-xxhash": "xxhash",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "ruamel_yaml": "ruamel.yaml",
    "seaborn-base": "seaborn",
    "tensorflow-base": "tensorflow",
    "tensorflow-gpu": "tensorflow",
}
# What conda installs that is no Python package: wheels bring their own copies.
_CONDA_ONLY = re.compile(
    r"_.*|lib(?!(rosa|cst|sass|tmux|pysal)$).*|cuda(?!-python$).*|cudnn|nccl|magma-.*|intel-openmp|mkl([-_].*)?|nomkl"
    r"|blas|openblas|openmp|llvm-openmp|tbb|openssl|ca-certificates|sqlite|tk|xz|zlib|zlib-ng|zstd|lz4-c|bzip2|readline"
    r"|ncurses|ld_impl_.*|gcc.*|gxx.*|binutils.*|sysroot_.*|kernel-headers_.*|vc|vc14_runtime|vs\d+_runtime|ucrt|tzdata"
    r"|icu|jpeg|lcms2|lerc|openjpeg|giflib|freetype|fontconfig|fonts-.*|font-.*|cairo|pixman|harfbuzz|expat|gmp|yaml"
    r"|ffmpeg|hdf5|snappy|blosc|c-ares|krb5|aws-.*|arrow-cpp|boost-cpp|gflags|glog|re2|orc|utf8proc|abseil-cpp"
    r"|grpc-cpp|xorg-.*|qt|qt-main|qhull|glib|pcre2?|pytorch-mutex|pytorch-cuda|cpuonly|numpy-base|pip|setuptools|wheel"
    r"|python_abi|nodejs"
)
_SPEC = re.compile(r"(?:[\w./-]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?:\[(?P<keys>[^\]]*)\]|(?P<rest>[^\[\]]*))")
_KEY = re.compile(r"\s*(?P<key>\w+)\s*=\s*(?P<quote>['\"]?)(?P<value>[^'\"]*?)(?P=quote)\s*(?:,|$)")
# Where a package comes from and how it was built says nothing about its wheel.
_MEANINGLESS_KEYS = frozenset({"build", "build_number", "channel", "subdir"})
_EXACT_BUILD = re.compile(r"={1,2}\s*(?P<version>[\w.!+*]+)\s*[=\s]\s*[\w.*]+")
_BUILD = re.compile(r"(?P<version>\S+)\s+[\w.*]+")
_BARE = re.compile(r"(?P<operator>==|=|)\s*(?P<version>\d[\w.!+]*?)(?P<open>\.?\*)?")
_COMPARISON = re.compile(r"(?P<operator>>=|<=|>|<|!=|~=)\s*(?P<version>[\w.!+]+?)(?P<open>\.?\*)?")


def split(spec: str) -> tuple[str, str]:
    """Name of a package in small letters, and conda's bounds on its version, empty without any.

    Raises
    ------
    ValueError
        It is none of conda's forms, or names more than a package, its version and its build.
    """
    match = _SPEC.fullmatch(spec.strip())
    if match is None:
        raise ValueError("it is not a package and its version")
    if match["keys"] is None:
        return match["name"].lower(), _without_build(match["rest"].strip())
    return match["name"].lower(), _version_key(match["keys"])


def translated(name: str, bounds: str) -> str | None:
    """The pip line of a conda dependency, or None where wheels bring what it stands for.

    Raises
    ------
    ValueError
        It has no pip line; the message says why.
    """
    if _CONDA_ONLY.fullmatch(name):
        return None
    if name == "r" or name.startswith("r-"):
        raise ValueError("packages of R have no wheels")
    try:
        return str(Requirement(_PIP_NAMES.get(name, name) + pip_bounds(bounds)))
    except InvalidRequirement:
        raise ValueError("it is not a package and its version") from None


def pip_bounds(bounds: str) -> str:
    """Conda's bounds in pip's words: `=1.2` and `1.2.*` mean ==1.2.*, `>=1.2.*` means >=1.2, `1.2` exactly 1.2.

    Raises
    ------
    ValueError
        They are alternatives, for which pip has no words, or no bounds.
    """
    if "|" in bounds:
        raise ValueError("pip knows no alternatives of versions")
    parts = [part.strip() for part in bounds.split(",")] if bounds else []
    return ",".join(_pip_bound(part) for part in parts if part != "*")


def _pip_bound(bound: str) -> str:
    if match := _BARE.fullmatch(bound):
        is_open = match["open"] or match["operator"] == "="
        return f"=={match['version']}" + (".*" if is_open else "")
    if match := _COMPARISON.fullmatch(bound):
        is_open = match["open"] and match["operator"] == "!="
        return f"{match['operator']}{match['version']}" + (".*" if is_open else "")
    raise ValueError(f"{bound[:50]!r} is no version")


def _without_build(rest: str) -> str:
    """Bounds of `=1.2.3=build` and of `>=1.2 build`: a build stands for exactly its version."""
    if match := _EXACT_BUILD.fullmatch(rest):
        return "==" + match["version"]
    joined = re.sub(r"\s*([<>=!~,|]+)\s*", r"\1", rest)
    match = _BUILD.fullmatch(joined)
    return match["version"] if match else joined


def _version_key(keys: str) -> str:
    found = {match["key"]: match["value"] for match in _KEY.finditer(keys)}
    unknown = sorted(set(found) - _MEANINGLESS_KEYS - {"version"})
    if unknown or _KEY.sub("", keys).strip():
        raise ValueError(f"{', '.join(unknown) or keys[:50]} cannot be told to pip")
    return _without_build(found.get("version", "").strip())
