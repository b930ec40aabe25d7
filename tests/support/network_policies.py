"""What NetworkPolicies let through, as a cluster's network would decide it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.support.manifests import Manifest, Pod, of_kind

Selector = Mapping[str, Any]


class Network:
    """The policies of some manifests."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self.policies = list(of_kind(manifests, "NetworkPolicy"))
        self._namespaces = {
            namespace["metadata"]["name"]: {
                "kubernetes.io/metadata.name": namespace["metadata"]["name"],
                **namespace["metadata"].get("labels", {}),
            }
            for namespace in of_kind(manifests, "Namespace")
        }

    def selecting(self, pod: Pod, direction: str) -> Iterator[Manifest]:
        """Policies for one direction (Ingress, Egress) that hold for a pod."""
        for policy in self.policies:
            spec = policy["spec"]
            is_near = policy["metadata"]["namespace"] == pod.namespace and direction in spec["policyTypes"]
            if is_near and selects(spec["podSelector"], pod.labels):
                yield policy

    def admits(self, source: Pod, target: Pod, port: int) -> bool:
        """Whether a pod reaches a port of another one."""
        leaves = self._passes(source, "Egress", "to", target, target, port)
        return leaves and self._passes(target, "Ingress", "from", source, target, port)

    def outward(self, pod: Pod) -> set[tuple[str, int]]:
        """Address ranges beyond the cluster, with ports, that a pod reaches."""
        return {
            (peer["ipBlock"]["cidr"], port["port"])
            for policy in self.selecting(pod, "Egress")
            for rule in policy["spec"].get("egress") or ()
            for peer in rule["to"]
            if "ipBlock" in peer
            for port in rule["ports"]
        }

    def _passes(self, pod: Pod, direction: str, key: str, other: Pod, target: Pod, port: int) -> bool:
        policies = list(self.selecting(pod, direction))
        rules = [rule for policy in policies for rule in policy["spec"].get(direction.lower()) or ()]
        return not policies or any(
            _has_port(rule, target, port) and any(self._is(peer, pod, other) for peer in rule[key]) for rule in rules
        )

    def _is(self, peer: Selector, pod: Pod, other: Pod) -> bool:
        if "ipBlock" in peer:
            return False  # addresses of pods are not to be relied on
        if "namespaceSelector" in peer:
            if not selects(peer["namespaceSelector"], self._namespaces.get(other.namespace, {})):
                return False
        elif other.namespace != pod.namespace:
            return False
        return selects(peer.get("podSelector", {}), other.labels)


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes labels; an empty one takes all."""
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(_matches(expression, labels) for expression in selector.get("matchExpressions", ()))


def _matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert expression["operator"] == "In", "no policy needs another operator so far"
    return labels.get(expression["key"]) in expression["values"]


def _has_port(rule: Mapping[str, Any], target: Pod, port: int) -> bool:
    named = [entry["port"] for entry in rule.get("ports", ())]
    return not named or port in [target.ports.get(entry, entry) for entry in named]
