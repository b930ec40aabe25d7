"""Build the services' container images: wheels as requirements.lock says, then one image a service.

No build step needs a network: wheels are fetched beforehand by pip with this machine's own settings, and go into an
image of their own from which the others install. Nothing is done again whose inputs are the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
import hashlib
import os
import shlex
import subprocess
import sys

from learndock.sandbox.pip_settings import uv_variables
from tools.environment import LOCK, PYTHON, ROOT

OFFICIAL_BASE = "python:3.11-slim-bookworm"
WHEELHOUSE = ROOT / "build" / "wheelhouse"
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "identity": ("identity", "tracing"),
    "spec": ("spec", "tracing"),
    "storage": ("storage", "tracing"),
    "validator": ("validator", "kubernetes", "tracing"),
    "search": ("search", "text", "tracing"),
    "reuse": ("reuse", "kubernetes", "serving", "postgres", "tracing"),
    "console": ("console",),
}
"""What of pyproject.toml each image holds, by service."""
VARIANTS: Mapping[str, tuple[str, ...]] = {
    "search-ray": ("ray", "tracing"),
    "search-gpu": ("search", "rkme", "tracing"),
}
"""The same of images that are made only when asked for, of which each is a service with something more."""

# pip installs the rest inside of the build, and comes along as a wheel itself: Debian's Python has none.
_INSTALLER = "pip"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "services", nargs="*", metavar="SERVICE", help=f"of {', '.join(EXTRAS)} (default: these), {', '.join(VARIANTS)}"
    )
    parser.add_argument("--base", default=OFFICIAL_BASE, help=f"image with Python 3.11 (default: {OFFICIAL_BASE})")
    parser.add_argument("--tag", default="latest", help="tag of the images (default: latest)")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.services) - {*EXTRAS, *VARIANTS})
    if unknown:
        parser.error(f"There is no service {unknown[0]!r}.")
    try:
        build(arguments.services or list(EXTRAS), arguments.base, arguments.tag)
    except subprocess.CalledProcessError as failure:
        sys.exit(f"Failed: {shlex.join(map(str, failure.cmd))}")


def build(services: Sequence[str], base: str, tag: str) -> None:
    """Build the images ``learndock/SERVICE:TAG`` on a base image."""
    # The classic builder runs every stage before the one asked for, so that all of those need their wheels.
    held = {**EXTRAS, **(VARIANTS if set(services) & set(VARIANTS) else {})}
    wheels = _wheels_image(base, held)
    for service in services:
        image = f"learndock/{service}:{tag}"
        _docker(
            "build", "--quiet", "--file", "deploy/docker/Dockerfile", "--target", service, "--tag", image,
            "--build-arg", f"BASE={base}", "--build-arg", f"WHEELS={wheels}", ".",
        )  # fmt: skip
        size = subprocess.check_output(["docker", "image", "inspect", "--format", "{{.Size}}", image], text=True)
        print(f"{image}  {int(size) / 1e6:.0f} MB", flush=True)


def _wheels_image(base: str, held: Mapping[str, tuple[str, ...]]) -> str:
    """Name of the image that has the base's system and all wheels in ``/wheels``, made if there is none."""
    lists = {service: _requirements(extras) for service, extras in held.items()}
    digest = hashlib.sha256("\0".join((*lists.values(), _base_id(base))).encode()).hexdigest()[:16]
    image = f"learndock/wheels:{digest}"
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode != 0:
        _fetch(lists)
        _docker(
            "build", "--quiet", "--tag", image, "--file", "-", str(WHEELHOUSE), text=f"FROM {base}\nCOPY . /wheels\n"
        )
    return image


def _fetch(lists: Mapping[str, str]) -> None:
    """Put the wheels of all services, and the lists of what each needs, into the wheelhouse."""
    WHEELHOUSE.mkdir(parents=True, exist_ok=True)
    options = []
    for service, text in lists.items():
        (WHEELHOUSE / f"{service}.txt").write_text(text)
        options += ["--requirement", str(WHEELHOUSE / f"{service}.txt")]
    print("Fetching wheels ...", flush=True)
    fetch = [str(PYTHON), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    subprocess.run([*fetch, "--dest", str(WHEELHOUSE), *options, _INSTALLER], check=True, cwd=ROOT)


def _requirements(extras: Iterable[str]) -> str:
    """What some extras need, each at the version of requirements.lock."""
    chosen = [option for extra in extras for option in ("--extra", extra)]
    quiet = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    return subprocess.check_output(
        [str(PYTHON.with_name("uv")), "pip", "compile", "pyproject.toml", *chosen, "--constraint", str(LOCK), *quiet],
        cwd=ROOT,
        env={**os.environ, **uv_variables(os.environ)},
        text=True,
    )


def _base_id(base: str) -> str:
    """What tells one state of the base image from another; its name where it is yet to be fetched."""
    found = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Id}}", base], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or base


def _docker(*arguments: str, text: str | None = None) -> None:
    # The classic builder is there with every engine.
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    subprocess.run(
        ["docker", *arguments], check=True, cwd=ROOT, env=environment, input=text, text=True, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
