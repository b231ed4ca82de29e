# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Azure SDKs and plain requests, signed in at one lab and trusting nothing but its certificates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import requests
from azure.core.credentials import TokenCredential
from azure.identity import ClientAssertionCredential, ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.msi.v2024_11_30 import ManagedServiceIdentityClient
from azure.mgmt.privatedns import PrivateDnsManagementClient

from harness.laboratory import Lab

TIMEOUT_S = 30

# API versions.
IDENTITIES = "2024-11-30"
CLUSTERS = "2026-08-01"


@dataclass(frozen=True)
class AzureClients:
    """Signed in as the operator, who owns the subscription, unless a method says otherwise."""

    lab: Lab

    @cached_property
    def group(self) -> str:
        return self.lab.environment["LAB_RESOURCE_GROUP"]

    @cached_property
    def group_id(self) -> str:
        return f"/subscriptions/{self._subscription}/resourceGroups/{self.group}"

    @cached_property
    def cluster_id(self) -> str:
        cluster = self.lab.environment["LAB_CLUSTER"]
        return f"{self.group_id}/providers/Microsoft.ContainerService/managedClusters/{cluster}"

    def identity_id(self, name: str) -> str:
        return f"{self.group_id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"

    def credential_id(self, identity: str, name: str) -> str:
        return f"{self.identity_id(identity)}/federatedIdentityCredentials/{name}"

    def role_id(self, guid: str) -> str:
        return f"/subscriptions/{self._subscription}/providers/Microsoft.Authorization/roleDefinitions/{guid}"

    # The SDKs

    @cached_property
    def credential(self) -> ClientSecretCredential:
        environment = self.lab.environment
        return ClientSecretCredential(
            environment["AZURE_TENANT"], environment["AZURE_CLIENT_ID"], environment["AZURE_SECRET"], **self._sign_in
        )

    def federated(self, client_id: str, assertion: str) -> ClientAssertionCredential:
        """Signed in as an identity, by a token of Kubernetes."""
        tenant = self.lab.environment["AZURE_TENANT"]
        return ClientAssertionCredential(tenant, client_id, lambda: assertion, **self._sign_in)

    @cached_property
    def identities(self) -> ManagedServiceIdentityClient:
        return ManagedServiceIdentityClient(self.credential, self._subscription, **self._manager)

    @cached_property
    def clusters(self) -> ContainerServiceClient:
        return ContainerServiceClient(self.credential, self._subscription, **self._manager)

    @cached_property
    def authorization(self) -> AuthorizationManagementClient:
        return AuthorizationManagementClient(self.credential, self._subscription, **self._manager)

    @cached_property
    def private_dns(self) -> PrivateDnsManagementClient:
        return PrivateDnsManagementClient(self.credential, self._subscription, **self._manager)

    def private_dns_of(self, credential: TokenCredential) -> PrivateDnsManagementClient:
        return PrivateDnsManagementClient(credential, self._subscription, **self._manager)

    def vault(self, credential: TokenCredential) -> SecretClient:
        return SecretClient(self.lab.environment["LAB_VAULT_URL"], credential, connection_verify=self._certificates)

    # Plain requests

    @cached_property
    def scope(self) -> str:
        """What a token for ARM is asked for."""
        return f"{self._arm}/.default"

    def token(self) -> str:
        return str(self.credential.get_token(self.scope).token)

    def send(self, method: str, path: str, token: str | None = None, **options: Any) -> requests.Response:
        """
        :param path: with its query.
        :param token: the operator's unless given; none if it is empty.
        """
        headers = options.pop("headers", {})
        token = self.token() if token is None else token
        if token:
            headers = {**headers, "Authorization": f"Bearer {token}"}
        url = path if path.startswith("https:") else f"{self._arm}{path}"
        return requests.request(
            method, url, headers=headers, verify=self._certificates, timeout=TIMEOUT_S, allow_redirects=False, **options
        )

    def get(self, resource_id: str, api_version: str) -> dict[str, Any]:
        return self._content(self.send("GET", f"{resource_id}?api-version={api_version}"))

    def put(self, resource_id: str, api_version: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._content(self.send("PUT", f"{resource_id}?api-version={api_version}", json=body))

    def _content(self, answer: requests.Response) -> dict[str, Any]:
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content

    @cached_property
    def _arm(self) -> str:
        return self.lab.environment["AZURE_CLOUD_ENVIRONMENT"].rstrip("/")

    @cached_property
    def _subscription(self) -> str:
        return self.lab.environment["AZURE_SUBSCRIPTION_ID"]

    @cached_property
    def _certificates(self) -> str:
        return str(self.lab.directory / "ca.pem")

    @property
    def _sign_in(self) -> dict[str, Any]:
        return {
            "authority": self.lab.environment["LAB_AUTHORITY_URL"],
            "disable_instance_discovery": True,
            "connection_verify": self._certificates,
        }

    @property
    def _manager(self) -> dict[str, Any]:
        return {"base_url": self._arm, "credential_scopes": [self.scope], "connection_verify": self._certificates}
