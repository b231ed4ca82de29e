# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ServiceAccounts, as far as workload identity needs them: the annotation, and a token to show to Entra."""

from __future__ import annotations

from typing import Any

from .errors import kubernetes_errors

CLIENT_ID_ANNOTATION = "azure.workload.identity/client-id"

# The shortest life that the API server grants; the token is used once, at once.
TOKEN_SECONDS = 600


def annotated_client_id(client: Any, namespace: str, name: str) -> str:
    """The client id that the webhook would give to pods of the ServiceAccount; empty without the annotation.

    :param client: C(kubernetes.dynamic.DynamicClient).
    :raises KubernetesError: reason C(NotFound) when there is no such ServiceAccount.
    """
    with kubernetes_errors(f"Reading ServiceAccount '{namespace}/{name}'"):
        found = client.request("get", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}").to_dict()
    annotations = found.get("metadata", {}).get("annotations") or {}
    return str(annotations.get(CLIENT_ID_ANNOTATION, ""))


def request_token(client: Any, namespace: str, name: str, audience: str) -> str:
    """A short-lived token of the ServiceAccount, as the kubelet would project it (TokenRequest API)."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": TOKEN_SECONDS},
    }
    with kubernetes_errors(f"Requesting a token for ServiceAccount '{namespace}/{name}'"):
        answer = client.request("post", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", body=body)
    return str(answer.to_dict()["status"]["token"])
