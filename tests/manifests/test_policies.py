"""Who reaches whom in a cluster, what pods may do, and what they are told."""

from __future__ import annotations

from itertools import product
import re

import pytest

from learndock.client.channel import Addresses
from learndock.sandbox.executor import Limits
from learndock.sandbox.job_manifest import job_manifest
from tests.support.dock import ROOT
from tests.support.manifests import OVERLAYS, Manifest, Pod, combinations, combined, of_kind, overlay, pods
from tests.support.network_policies import Network, selects
from tools.settings import service_names, settings_class

SETS = [*OVERLAYS, *combinations()]
SERVICES = ("identity", "spec", "storage", "validator", "search", "reuse", "console")
# It speaks HTTP; all others speak gRPC and give metrics.
WEB = "console"
# Beside the services: who else connects to what keeps their data.
DATABASE_USERS = ("identity", "storage", "validator", "reuse", "migration", "backup")
OBJECT_STORE_USERS = ("storage", "backup")
PUBLIC_INTERNET = ("validator", "reuse")


@pytest.fixture(params=SETS, ids=lambda chosen: chosen if isinstance(chosen, str) else "+".join(chosen))
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    chosen = request.param
    return list(overlay(chosen) if isinstance(chosen, str) else combined(chosen))


def drawn_calls() -> set[tuple[str, str]]:
    """Edges between services in ARCHITECTURE.md, dotted ones included."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    graph = re.search(r"```mermaid\n(.*?)```", page, re.DOTALL)
    assert graph is not None
    edges = set()
    for line in graph.group(1).splitlines()[1:]:
        callers, _, called = re.fullmatch(r"\s*(.+?) (-->|-\. .* \.->) (.+)", line).groups()  # type: ignore[union-attr]
        edges |= set(product(callers.split(" & "), called.split(" & ")))
    return {(caller, called) for caller, called in edges if caller in SERVICES}


def test_connections_are_those_of_the_architecture(manifests: list[Manifest]) -> None:
    network, started = Network(manifests), pods(manifests)
    admitted = {
        (source.name, target.name)
        for source, target in product(started, started)
        for name, port in target.ports.items()
        if name != "metrics" and network.admits(source, target, port)
    }
    present = {pod.name for pod in started}
    expected = drawn_calls()
    expected |= {(user, "postgres") for user in DATABASE_USERS if {user, "postgres"} <= present}
    expected |= {(user, "minio") for user in OBJECT_STORE_USERS if {user, "minio"} <= present}
    expected |= {(user, "ray") for user in ("search", "ray") if "ray" in present}
    assert admitted == expected


def test_the_world_is_reached_by_those_who_need_it(manifests: list[Manifest]) -> None:
    network, started = Network(manifests), pods(manifests)
    names = {policy["metadata"]["name"] for policy in network.policies}
    outward = {pod.name: {port for _, port in network.outward(pod)} for pod in started}
    for name, ports in outward.items():
        expected = {443} if name in PUBLIC_INTERNET else set()
        expected |= {6443} if name in PUBLIC_INTERNET and "sandbox-jobs" in names else set()
        expected |= {5432} if name in DATABASE_USERS and "postgres-external" in names else set()
        expected |= {443} if name in OBJECT_STORE_USERS and "object-store-external" in names else set()
        expected |= {443} if name == "search" and "index-copies" in names else set()
        assert ports == expected, name


def test_each_policy_selects_the_pods_it_is_for(manifests: list[Manifest]) -> None:
    started = [*pods(manifests), *sandboxes(manifests)]
    for policy in of_kind(manifests, "NetworkPolicy"):
        name, selector = policy["metadata"]["name"], policy["spec"]["podSelector"]
        near = [pod for pod in started if pod.namespace == policy["metadata"]["namespace"]]
        selected = {pod.name for pod in near if selects(selector, pod.labels)}
        assert selected, name
        if name in {pod.name for pod in started}:
            assert selected == {name}


def test_every_pod_is_held_both_ways(manifests: list[Manifest]) -> None:
    network = Network(manifests)
    for pod, direction in product(pods(manifests), ("Ingress", "Egress")):
        named = {policy["metadata"]["name"] for policy in network.selecting(pod, direction)}
        assert "default-deny" in named, pod.owner


def test_pods_are_restricted(manifests: list[Manifest]) -> None:
    for pod in pods(manifests):
        assert pod.spec["securityContext"]["runAsNonRoot"] is True, pod.owner
        may_start_jobs = any(variable.get("value") == "kubernetes" for variable in pod.variables)
        assert pod.spec["automountServiceAccountToken"] is may_start_jobs, pod.owner
        for container in pod.containers:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys()


def sandboxes(manifests: list[Manifest]) -> list[Pod]:
    """The pod of a sandbox as the executor makes it, where models run in Jobs."""
    places = {
        setting("validator", "kubernetes_namespace")
        for pod in pods(manifests)
        for variable in pod.variables
        if variable["name"].endswith("_EXECUTOR") and variable.get("value") == "kubernetes"
    }
    limits, folders = Limits(), [("package", "/package")]
    job = job_manifest("s", ["/bin/true"], image="i", runtime_class="gvisor", claim="c", folders=folders, limits=limits)
    template = job["spec"]["template"]
    return [Pod("Job s", "sandbox", place, template["metadata"]["labels"], template["spec"]) for place in places]


def setting(service: str, name: str) -> str:
    """Default of a setting."""
    return str(settings_class(service).model_fields[name].default)


def test_a_sandbox_has_no_network_no_token_and_no_rights(manifests: list[Manifest]) -> None:
    network, started = Network(manifests), pods(manifests)
    namespaces = {namespace["metadata"]["name"]: namespace for namespace in of_kind(manifests, "Namespace")}
    claims = {
        (claim["metadata"]["namespace"], claim["metadata"]["name"])
        for claim in of_kind(manifests, "PersistentVolumeClaim")
    }
    for sandbox in sandboxes(manifests):
        for direction in ("Ingress", "Egress"):
            policies = list(network.selecting(sandbox, direction))
            assert policies
            assert not any(policy["spec"].get(direction.lower()) for policy in policies)
        assert network.outward(sandbox) == set()
        for other in [*started, sandbox]:
            assert not any(network.admits(sandbox, other, port) for port in [*other.ports.values(), 443])
            assert not network.admits(other, sandbox, 443)
        assert sandbox.spec["automountServiceAccountToken"] is False
        assert "serviceAccountName" not in sandbox.spec
        labels = namespaces[sandbox.namespace]["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        assert setting("validator", "kubernetes_runtime_class") in {
            runtime["metadata"]["name"] for runtime in of_kind(manifests, "RuntimeClass")
        }
        assert {("learndock", setting("validator", "kubernetes_claim"))} < claims
        assert (sandbox.namespace, setting("validator", "kubernetes_claim")) in claims


def test_only_who_starts_sandboxes_has_rights_and_only_there(manifests: list[Manifest]) -> None:
    for binding in of_kind(manifests, "RoleBinding", "ClusterRoleBinding"):
        assert {subject["name"] for subject in binding["subjects"]} == {"validator", "reuse"}
    for role in of_kind(manifests, "Role"):
        assert role["metadata"]["namespace"] == setting("validator", "kubernetes_namespace")
    for role in of_kind(manifests, "Role", "ClusterRole"):
        granted = {
            (resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]
        }
        assert not any("*" in pair or pair[0] == "secrets" for pair in granted)


def test_variables_are_settings(manifests: list[Manifest]) -> None:
    known = {
        f"{settings_class(name).model_config.get('env_prefix')}{field.upper()}"
        for name in service_names()
        for field in settings_class(name).model_fields
    }
    used = {variable["name"] for pod in pods(manifests) for variable in pod.variables}
    assert {name for name in used if name.startswith("LEARNDOCK_")} <= known


def test_secrets_are_named_never_told(manifests: list[Manifest]) -> None:
    assert list(of_kind(manifests, "Secret")) == []
    for pod in pods(manifests):
        for variable in pod.variables:
            if re.search("(TOKEN|PASSWORD|KEY|DATABASE_URL|SECRET)(?!.*_FILE$)", variable["name"]):
                assert "secretKeyRef" in variable["valueFrom"], variable


def test_ports_are_the_services_own(manifests: list[Manifest]) -> None:
    by_name = {pod.name: pod for pod in pods(manifests)}
    for name in SERVICES:
        pod = by_name[name]
        variables = {variable["name"]: variable.get("value", "") for variable in pod.variables}
        default = settings_class(name).model_fields["listen"].default
        listen = variables[f"LEARNDOCK_{name.upper()}_LISTEN"]
        assert _port(listen) == _port(default) == pod.ports["http" if name == WEB else "grpc"]
        if name != WEB:
            assert _port(variables[f"LEARNDOCK_{name.upper()}_METRICS_LISTEN"]) == pod.ports["metrics"]
        for variable, value in variables.items():
            if variable.endswith("_RAY_ADDRESS"):
                assert value == f"ray://ray-head-svc:{pods_named('ray', manifests)[0].ports['client']}"
            elif variable.endswith("_ADDRESS") and not variable.endswith("_SHOWN_ADDRESS"):
                addresses = Addresses.parse(value)
                for called in filter(None, (addresses.default, *addresses.by_service.values())):
                    host, _, port = called.removeprefix("dns:///").partition(":")
                    assert by_name[host].ports["grpc"] == int(port)


def test_probes_ask_the_port_that_is_served(manifests: list[Manifest]) -> None:
    for name in SERVICES:
        (pod,) = pods_named(name, manifests)
        probes = [pod.containers[0][f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
        if name == WEB:
            assert [probe["httpGet"] for probe in probes] == 3 * [{"path": "/healthz", "port": "http"}]
        elif serves_tls(pod):  # which the kubelet's own probes cannot
            check = ["python", "/app/healthcheck.py"]
            commands = [probe["exec"]["command"] for probe in probes]
            assert commands == [check, [*check, _grpc_service(name)], check]
        else:
            assert {probe["grpc"]["port"] for probe in probes} == {pod.ports["grpc"]}
            assert probes[1]["grpc"]["service"] == _grpc_service(name)


def test_with_tls_every_service_shows_a_certificate_of_its_name_and_trusts_one_authority(
    manifests: list[Manifest],
) -> None:
    running = {pod.name: pod for pod in pods(manifests) if pod.name in SERVICES}
    if not any(serves_tls(pod) for pod in running.values()):
        return
    for name, pod in running.items():
        told = {v["name"].partition("_TLS_")[2]: v["value"] for v in pod.variables if "_TLS_" in v["name"]}
        files = {"CERTIFICATE_FILE": "/tls/tls.crt", "KEY_FILE": "/tls/tls.key", "CA_FILE": "/tls/ca.crt"}
        assert told == ({} if name == WEB else files)
        (volume,) = (volume["secret"] for volume in pod.spec["volumes"] if volume["name"] == "tls")
        assert volume["secretName"] == ("identity-tls" if name == WEB else f"{name}-tls")
        assert [item["key"] for item in volume.get("items", ())] == (["ca.crt"] if name == WEB else [])
        assert {"name": "tls", "mountPath": "/tls", "readOnly": True} in pod.containers[0]["volumeMounts"]
    for service in of_kind(manifests, "Service"):
        if service["metadata"]["name"] in set(SERVICES) - {WEB}:
            assert "appProtocol" not in service["spec"]["ports"][0], "h2c is without TLS"


def test_certificates_and_policies_of_gateways_bear_the_names_that_are_called(manifests: list[Manifest]) -> None:
    called = set(SERVICES) - {WEB}
    issued = {c["spec"]["secretName"]: c["spec"].get("dnsNames", ()) for c in of_kind(manifests, "Certificate")}
    if issued:
        issued.pop("learndock-authority")
        assert set(issued) == {f"{name}-tls" for name in called}
        assert all(secret.removesuffix("-tls") in names for secret, names in issued.items())
    policies = list(of_kind(manifests, "BackendTLSPolicy"))
    for policy in policies:
        (target,) = policy["spec"]["targetRefs"]
        assert target["name"] == policy["spec"]["validation"]["hostname"] == policy["metadata"]["name"]
    assert {policy["metadata"]["name"] for policy in policies} in (set(), called)


def serves_tls(pod: Pod) -> bool:
    """Whether a service is told to serve TLS."""
    return any(variable["name"].endswith("_TLS_CERTIFICATE_FILE") for variable in pod.variables)


def _grpc_service(name: str) -> str:
    proto = (ROOT / "protos" / "learndock" / "v1" / f"{name}_service.proto").read_text()
    (service,) = re.findall(r"^service (\w+) ", proto, re.MULTILINE)
    return f"learndock.v1.{service}"


def test_the_console_is_told_where_everything_is_that_it_may_call(manifests: list[Manifest]) -> None:
    (console,) = pods_named(WEB, manifests)
    (told,) = (v["value"] for v in console.variables if v["name"] == "LEARNDOCK_CONSOLE_DOCK_ADDRESS")
    addresses = Addresses.parse(told)
    assert not addresses.default
    assert {(WEB, name) for name in addresses.by_service} == {call for call in drawn_calls() if call[0] == WEB}
    assert all(f"/{name}:" in address for name, address in addresses.by_service.items())


def pods_named(name: str, manifests: list[Manifest]) -> list[Pod]:
    """What bears a name; of a Ray cluster, its head first."""
    return [pod for pod in pods(manifests) if pod.name == name]


def test_services_lead_to_their_pods(manifests: list[Manifest]) -> None:
    by_name: dict[str, Pod] = {pod.name: pod for pod in pods(manifests)}
    for service in of_kind(manifests, "Service"):
        pod = by_name[service["metadata"]["name"]]
        assert service["spec"]["clusterIP"] == "None", "callers balance themselves"
        assert selects({"matchLabels": service["spec"]["selector"]}, pod.labels)
        assert [pod.ports[port["targetPort"]] for port in service["spec"]["ports"]] == [
            port["port"] for port in service["spec"]["ports"]
        ]
    kept = {manifest["metadata"]["name"] for manifest in of_kind(manifests, "PodDisruptionBudget")}
    scaled = {manifest["metadata"]["name"] for manifest in of_kind(manifests, "HorizontalPodAutoscaler")}
    assert kept == set(SERVICES)
    assert scaled - {WEB} == set(SERVICES) - {WEB}


def test_routes_lead_to_every_service_by_its_name(manifests: list[Manifest]) -> None:
    routes = list(of_kind(manifests, "GRPCRoute"))
    assert {route["metadata"]["name"] for route in routes} in (set(), set(SERVICES) - {WEB})
    for route in routes:
        (rule,) = route["spec"]["rules"]
        (backend,), (match,) = rule["backendRefs"], rule["matches"]
        assert backend["name"] == route["metadata"]["name"]
        proto = (ROOT / "protos" / "learndock" / "v1" / f"{backend['name']}_service.proto").read_text()
        assert f"service {match['method']['service'].removeprefix('learndock.v1.')} " in proto
        assert backend["port"] == _port(settings_class(backend["name"]).model_fields["listen"].default)


def test_pages_have_a_name_of_their_own_and_every_visitor_one_replica(manifests: list[Manifest]) -> None:
    scaled = [scaler["metadata"]["name"] for scaler in of_kind(manifests, "HorizontalPodAutoscaler")]
    listeners = {
        listener["name"]: (listener.get("hostname"), [kind["kind"] for kind in listener["allowedRoutes"]["kinds"]])
        for gateway in of_kind(manifests, "Gateway")
        for listener in gateway["spec"]["listeners"]
    }
    for route in of_kind(manifests, "HTTPRoute"):
        (rule,), (parent,) = route["spec"]["rules"], route["spec"]["parentRefs"]
        assert rule["backendRefs"] == [{"name": WEB, "port": _port(settings_class(WEB).model_fields["listen"].default)}]
        hostname, kinds = listeners.pop(parent["sectionName"])
        assert hostname
        assert kinds == ["HTTPRoute"]
        assert list(listeners.values()) == [(None, ["GRPCRoute"])]
        assert (WEB in scaled) == (rule.get("sessionPersistence", {}).get("type") == "Cookie")


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
