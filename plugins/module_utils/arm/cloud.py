# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure clouds: the public and sovereign ones by name, any other by its metadata URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import AzureError, ConfigurationError

METADATA_API_VERSION = "2022-09-01"


@dataclass(frozen=True)
class Cloud:
    """Where a cloud answers.

    :ivar resource_manager: base URL of Azure Resource Manager.
    :ivar authority: base URL of Microsoft Entra ID.
    :ivar scope: OAuth scope of a token for Azure Resource Manager.
    :ivar known: whether Entra's public instance discovery knows the authority.
    """

    name: str
    resource_manager: str
    authority: str
    scope: str
    known: bool = True


# The names are those of the Azure CLI and azcollection (compared without regard to case).
CLOUDS = {
    cloud.name.lower(): cloud
    for cloud in (
        Cloud(
            "AzureCloud",
            "https://management.azure.com",
            "https://login.microsoftonline.com",
            "https://management.azure.com/.default",
        ),
        Cloud(
            "AzureUSGovernment",
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
            "https://management.core.usgovcloudapi.net/.default",
        ),
        Cloud(
            "AzureChinaCloud",
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
            "https://management.chinacloudapi.cn/.default",
        ),
    )
}


def find_cloud(cloud_environment: str) -> Cloud:
    """The cloud of that name or metadata URL; the public cloud for an empty value.

    :raises ConfigurationError: for an unknown name, a URL without https, or an answer that is not cloud metadata.
    """
    name = cloud_environment or "AzureCloud"
    if name.lower() in CLOUDS:
        return CLOUDS[name.lower()]
    if not name.lower().startswith("https://"):
        raise ConfigurationError(
            f"cloud_environment '{name}' is neither a cloud's name ({', '.join(cloud.name for cloud in CLOUDS.values())}) "
            "nor the https URL of a cloud's metadata endpoint."
        )
    return cloud_from_metadata(name, _fetch_metadata(name.rstrip("/")))


def cloud_from_metadata(url: str, metadata: Any) -> Cloud:
    """Read what C(GET <arm>/metadata/endpoints) answered: one cloud, or a list of which one is ours."""
    entries: list[Mapping[str, Any]] = [metadata] if isinstance(metadata, Mapping) else list(metadata or [])
    base = url.rstrip("/")
    for entry in entries:
        if str(entry.get("resourceManager", "")).rstrip("/").lower() == base.lower():
            return _cloud(base, entry)
    if len(entries) == 1:
        return _cloud(base, entries[0])
    raise ConfigurationError(
        f"cloud_environment '{url}': the metadata endpoint lists no cloud whose resource manager is at that URL."
    )


def _cloud(base: str, entry: Mapping[str, Any]) -> Cloud:
    authentication = entry.get("authentication") or {}
    login = str(authentication.get("loginEndpoint", "")).rstrip("/")
    audiences = authentication.get("audiences") or []
    if not login or not audiences:
        raise ConfigurationError(f"cloud_environment '{base}': its metadata names no login endpoint or no audience.")
    return Cloud(
        name=str(entry.get("name") or base),
        resource_manager=str(entry.get("resourceManager") or base).rstrip("/"),
        authority=login,
        scope=str(audiences[0]).rstrip("/") + "/.default",
        known=login in {cloud.authority for cloud in CLOUDS.values()},
    )


def _fetch_metadata(base: str) -> Any:
    from azure.core import PipelineClient
    from azure.core.exceptions import AzureError as AzureCoreError
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.rest import HttpRequest

    request = HttpRequest("GET", f"{base}/metadata/endpoints", params={"api-version": METADATA_API_VERSION})
    try:
        client: Any = PipelineClient(base, policies=[RetryPolicy(retry_total=3)])
        with client:
            response = client.send_request(request)
            response.raise_for_status()
            return response.json()
    except (AzureCoreError, ValueError) as error:
        raise AzureError(
            f"cloud_environment '{base}': its metadata could not be read: {error}",
            code="CloudMetadataUnavailable",
            hint="Check the URL, and that its certificate is trusted (REQUESTS_CA_BUNDLE names the file of trusted authorities).",
        ) from error
