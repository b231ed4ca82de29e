# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM by plain requests, for what the modules rightly refuse to write and for reading whole bodies."""

from __future__ import annotations

import json
import ssl
import urllib.parse
import urllib.request
from functools import cached_property
from typing import Any

from harness.laboratory import Lab

IDENTITIES = "2024-11-30"
CLUSTERS = "2026-08-01"


class ResourceManager:
    """Signed in as the operator of the lab."""

    def __init__(self, lab: Lab) -> None:
        self._environment = lab.environment
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(lab.directory / "ca.pem"))),
        )

    @property
    def group_id(self) -> str:
        environment = self._environment
        return (
            f"/subscriptions/{environment['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{environment['LAB_RESOURCE_GROUP']}"
        )

    @property
    def cluster_id(self) -> str:
        return (
            f"{self.group_id}/providers/Microsoft.ContainerService/managedClusters/{self._environment['LAB_CLUSTER']}"
        )

    def credential_id(self, identity: str, name: str) -> str:
        parent = f"{self.group_id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{identity}"
        return f"{parent}/federatedIdentityCredentials/{name}"

    def get(self, resource_id: str, api_version: str) -> dict[str, Any]:
        return self._send("GET", resource_id, api_version)

    def put(self, resource_id: str, api_version: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._send("PUT", resource_id, api_version, body)

    def _send(self, method: str, path: str, api_version: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self._arm}{path}?api-version={api_version}"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return self._answer(url, method, None if body is None else json.dumps(body).encode(), headers)

    @property
    def _arm(self) -> str:
        return self._environment["AZURE_CLOUD_ENVIRONMENT"].rstrip("/")

    @cached_property
    def _token(self) -> str:
        endpoints = self._answer(f"{self._arm}/metadata/endpoints?api-version=2022-09-01", "GET", None, {})
        authentication = endpoints["authentication"]
        form = {
            "grant_type": "client_credentials",
            "client_id": self._environment["AZURE_CLIENT_ID"],
            "client_secret": self._environment["AZURE_SECRET"],
            "scope": f"{authentication['audiences'][0].rstrip('/')}/.default",
        }
        url = f"{authentication['loginEndpoint'].rstrip('/')}/{self._environment['AZURE_TENANT']}/oauth2/v2.0/token"
        return str(self._answer(url, "POST", urllib.parse.urlencode(form).encode(), {})["access_token"])

    def _answer(self, url: str, method: str, data: bytes | None, headers: dict[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        with self._opener.open(request, timeout=30) as answer:
            content: dict[str, Any] = json.loads(answer.read())
        return content
