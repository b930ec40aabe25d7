#!/bin/sh
# Builds the image in which the docker executor runs models: Debian's C library and Python, and nothing of this project.
#
#   deploy/docker/sandbox-image.sh [IMAGE]
#
# The image's Python must have the minor version of the Python that runs the dock, since environments are resolved for
# that one: SUITE=bookworm has 3.11, trixie 3.13. Needs no image registry: Debian's packages and `docker import` do.
# Does nothing when the image was made by this recipe before.
set -eu

image="${1:-learndock/sandbox:latest}"
suite="${SUITE:-bookworm}"
packages="base-files,coreutils,dash,libc-bin,python3-minimal,libpython3-stdlib,libgfortran5,libgomp1,libstdc++6,tzdata"
recipe="$(cksum <"$0" | cut -d' ' -f1)-$suite"

need() {
    command -v "$1" >/dev/null || { echo "sandbox-image: $1 is missing; run: apt-get install -y $2" >&2; exit 69; }
}
need docker docker.io
need mmdebstrap mmdebstrap
docker info >/dev/null 2>&1 || { echo "sandbox-image: no Docker engine answers; start one: dockerd" >&2; exit 69; }

made="$(docker image inspect --format '{{index .Config.Labels "learndock.recipe"}}' "$image" 2>/dev/null || true)"
if [ "$made" = "$recipe" ]; then
    echo "sandbox-image: $image is up to date"
    exit 0
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Packages are only unpacked: no maintainer script runs, and no package manager or setuid program gets into the image.
mmdebstrap --quiet --variant=extract --include="$packages" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='ldconfig -r "$1"' \
    --customize-hook='rm -rf "$1/var/lib/apt" "$1/var/lib/dpkg" "$1/var/cache"' \
    "$suite" "$work/root.tar"
python="$(tar -tf "$work/root.tar" | sed -n 's|^\./usr/bin/python\(3\.[0-9]*\)$|\1|p')"
docker import --change "LABEL learndock.recipe=$recipe" --change "LABEL learndock.python=$python" \
    "$work/root.tar" "$image" >/dev/null
echo "sandbox-image: made $image (Debian $suite, Python $python)"
