# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the fleet of virtual nodes, and deleting a Node of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError, KubernetesError
from ..plan.virtual_nodes import SELECTOR, Census, Fleet, VirtualNode
from .errors import kubernetes_errors
from .lists import has_expired, items

_NODES = "/api/v1/nodes"
_PODS = "/api/v1/pods"
_STATEFUL_SETS = "/apis/apps/v1/statefulsets"
# How often a list may expire while it is read.
_ATTEMPTS = 3


def read_fleet(client: Any, selector: str = SELECTOR) -> Fleet:
    """The virtual nodes with their pods counted: one list of nodes, of StatefulSets and of pods, each in pages of 500.

    :param client: C(kubernetes.dynamic.DynamicClient).
    :param selector: label selector of the nodes.
    :raises ConfigurationError: for a selector that is not of the form C(key=value[,key=value]).
    """
    labels = _labels(selector)
    attempts = _ATTEMPTS
    while True:
        attempts -= 1
        try:
            return _read(client, selector, labels)
        except KubernetesError as error:
            if not attempts or not has_expired(error):
                raise


def reread_node(client: Any, name: str) -> Fleet:
    """The same for one node, with whatever could be behind it, at this moment.

    :returns: a fleet of one node, or of none if it is gone.
    """
    by_name = f"metadata.name={name}"
    census = Census({})
    census.see_nodes(items(client, _NODES, "nodes", field_selector=by_name))
    census.see_stateful_sets(items(client, _STATEFUL_SETS, "StatefulSets"))
    for pod in items(client, _PODS, f"pods called {name}", field_selector=by_name):
        census.see_pod(pod)
    for pod in items(client, _PODS, f"pods on {name}", field_selector=f"spec.nodeName={name}"):
        census.see_pod(pod)
    return census.fleet()


def delete_node(client: Any, node: VirtualNode) -> None:
    """Delete the Node as it was read, and not one that somebody has registered or changed since.

    A Node that is gone already is no error.

    :raises KubernetesError: reason C(Conflict) when it is another by now.
    """
    body = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": node.uid, "resourceVersion": node.resource_version},
    }
    try:
        with kubernetes_errors(f"Deleting Node {node.name}"):
            client.request("delete", f"{_NODES}/{node.name}", body=body)
    except KubernetesError as error:
        if error.status != 404:
            raise


def _read(client: Any, selector: str, labels: Mapping[str, str]) -> Fleet:
    census = Census(labels)
    census.see_nodes(items(client, _NODES, "nodes", label_selector=selector))
    census.see_stateful_sets(items(client, _STATEFUL_SETS, "StatefulSets"))
    for pod in items(client, _PODS, "pods"):
        census.see_pod(pod)
    return census.fleet()


def _labels(selector: str) -> dict[str, str]:
    """
    :raises ConfigurationError: for anything but C(key=value) and commas.
    """
    pairs = [each.strip().partition("=") for each in selector.split(",")]
    for key, _equals, value in pairs:
        if not key or not value or any(sign in f"{key}{value}" for sign in "!=() "):
            raise ConfigurationError(
                f"node_selector: '{selector}' is not of the form key=value[,key=value]; virtual nodes have {SELECTOR}."
            )
    return {key: value for key, _equals, value in pairs}
