#!/bin/sh
# Registers gVisor as the runtime `runsc` of this machine's Docker engine, which need not be restarted.
#
#   deploy/docker/gvisor-runtime.sh
#
# Needs root and Debian's package `runsc`. The engine is told of a small wrapper, because gVisor's KVM platform needs
# hardware that virtual machines seldom have, and because no sandbox of ours has a network. What the engine's
# configuration says already stays. Does nothing when it is done.
set -eu

configuration="${DOCKER_CONFIGURATION:-/etc/docker/daemon.json}"
wrapper="${RUNSC_WRAPPER:-/usr/local/lib/learndock/runsc}"

command -v runsc >/dev/null || { echo "gvisor-runtime: runsc is missing; run: apt-get install -y runsc" >&2; exit 69; }

mkdir -p "$(dirname "$wrapper")" "$(dirname "$configuration")"
printf '#!/bin/sh\nexec %s --platform=ptrace --network=none "$@"\n' "$(command -v runsc)" >"$wrapper.new"
chmod 755 "$wrapper.new"
mv "$wrapper.new" "$wrapper"

python3 - "$configuration" "$wrapper" <<'PYTHON'
import json, os, sys
path, wrapper = sys.argv[1:]
settings = json.load(open(path)) if os.path.exists(path) else {}
settings.setdefault("runtimes", {})["runsc"] = {"path": wrapper}
with open(path + ".new", "w") as file:
    json.dump(settings, file, indent=2)
os.replace(path + ".new", path)
PYTHON

knows_it() { docker info --format '{{json .Runtimes}}' 2>/dev/null | grep -q '"runsc"'; }
docker info >/dev/null 2>&1 || { echo "gvisor-runtime: runsc will be known when the engine starts"; exit 0; }
knows_it || kill -HUP "$(cat /var/run/docker.pid)"
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if knows_it; then
        echo "gvisor-runtime: the engine knows runsc"
        exit 0
    fi
    sleep 1
done
echo "gvisor-runtime: the engine does not take up the runtimes of $configuration" >&2
exit 1
