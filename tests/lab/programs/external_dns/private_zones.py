# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider: records of Azure's private zones, with a token of the pod's workload identity."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import yaml
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.identity import WorkloadIdentityCredential
from azure.mgmt.privatedns import PrivateDnsManagementClient
from azure.mgmt.privatedns.models import RecordSet

from lab.programs import pod_environment
from lab.programs.external_dns import log
from lab.programs.external_dns.plan import Changes, Endpoint
from lab.programs.external_dns.settings import Settings

DEFAULT_TTL = 300


class PrivateZones:
    def __init__(self, settings: Settings) -> None:
        config = _config(settings.azure_config_file)
        self._settings = settings
        self._group = settings.azure_resource_group or str(config.get("resourceGroup", ""))
        subscription = settings.azure_subscription_id or str(config.get("subscriptionId", ""))
        manager = pod_environment.resource_manager()
        self._client = PrivateDnsManagementClient(
            _credential(config), subscription, base_url=manager, credential_scopes=[f"{manager}/.default"]
        )

    def records(self) -> list[Endpoint]:
        """
        :raises Fatal: when they cannot be read.
        """
        try:
            return [each for zone in self._zones() for each in self._records(zone)]
        except AzureError as error:
            raise log.Fatal(f"failed to do run once: {_refusal(error)}") from None

    def apply(self, changes: Changes) -> None:
        """A record that cannot be written is logged, and the others are written."""
        zones = self._zones()
        for each in changes.delete:
            if zone := _zone_of(each.name, zones):
                self._delete(zone, each)
        for each in (*changes.create, *changes.update):
            zone = _zone_of(each.name, zones)
            if zone is None:
                log.info(f"Ignoring changes to '{each.name}' because a suitable Azure Private DNS zone was not found.")
            else:
                self._put(zone, each)

    def _zones(self) -> list[str]:
        log.debug(f"Retrieving Azure Private DNS zones for Resource Group '{self._group}'")
        names = [str(zone.name) for zone in self._client.private_zones.list_by_resource_group(self._group)]
        domains = [each.strip(".") for each in self._settings.domain_filter]
        return [
            name for name in names if not domains or any(name == each or name.endswith(f".{each}") for each in domains)
        ]

    def _records(self, zone: str) -> Iterable[Endpoint]:
        for record in self._client.record_sets.list(self._group, zone):
            kind = str(record.type).rsplit("/", 1)[-1]
            targets = _targets(record)
            if targets:
                name = zone if record.name == "@" else f"{record.name}.{zone}"
                yield Endpoint(name, kind, targets, record.ttl or 0)

    def _delete(self, zone: str, endpoint: Endpoint) -> None:
        name = _relative(endpoint.name, zone)
        what = f"{endpoint.type} record named '{name}' for Azure Private DNS zone '{zone}'"
        if self._settings.dry_run:
            log.info(f"Would delete {what}.")
            return
        log.info(f"Deleting {what}.")
        try:
            self._client.record_sets.delete(self._group, zone, endpoint.type, name)
        except AzureError as error:
            log.error(f"Failed to delete {what}: {_refusal(error)}")

    def _put(self, zone: str, endpoint: Endpoint) -> None:
        name = _relative(endpoint.name, zone)
        what = f"{endpoint.type} record named '{name}' to '{';'.join(endpoint.targets)}' for Azure Private DNS zone '{zone}'"
        if self._settings.dry_run:
            log.info(f"Would update {what}.")
            return
        log.info(f"Updating {what}.")
        try:
            self._client.record_sets.create_or_update(self._group, zone, endpoint.type, name, _body(endpoint))
        except AzureError as error:
            log.error(f"Failed to update {what}: {_refusal(error)}")


def _config(path: str) -> dict[str, Any]:
    file = pod_environment.file(path)
    beginning = f"failed to read Azure config file '{path}': "
    if not file.exists():
        raise log.Fatal(f"{beginning}{beginning}open {path}: no such file or directory")
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise log.Fatal(f"{beginning}yaml: unmarshal errors")
    return config


def _credential(config: dict[str, Any]) -> WorkloadIdentityCredential:
    if not config.get("useWorkloadIdentityExtension"):
        raise log.Fatal("failed to get credentials: no credentials provided for Azure API")
    log.info("Using workload identity extension to retrieve access token for Azure API.")
    given = {
        "client ID": config.get("aadClientId") or os.environ.get("AZURE_CLIENT_ID"),
        "tenant ID": config.get("tenantId") or os.environ.get("AZURE_TENANT_ID"),
        "token file": os.environ.get("AZURE_FEDERATED_TOKEN_FILE"),
    }
    for name, value in given.items():
        if not value:
            why = f"no {name} specified. Check pod configuration or set it in the options"
            raise log.Fatal(f"failed to get credentials: failed to create a workload identity token: {why}")
    return WorkloadIdentityCredential(
        tenant_id=str(given["tenant ID"]),
        client_id=str(given["client ID"]),
        token_file_path=str(given["token file"]),
        disable_instance_discovery=True,
    )


def _targets(record: Any) -> tuple[str, ...]:
    if record.a_records:
        return tuple(str(each.ipv4_address) for each in record.a_records)
    if record.cname_record:
        return (str(record.cname_record.cname),)
    if record.txt_records:
        values = record.txt_records[0].value or []
        return (str(values[0]),) if values else ()
    return ()


def _body(endpoint: Endpoint) -> RecordSet:
    properties: dict[str, Any] = {"ttl": endpoint.ttl or DEFAULT_TTL}
    if endpoint.type == "A":
        properties["aRecords"] = [{"ipv4Address": each} for each in endpoint.targets]
    elif endpoint.type == "CNAME":
        properties["cnameRecord"] = {"cname": endpoint.targets[0]}
    else:
        properties["txtRecords"] = [{"value": [endpoint.targets[0]]}]
    return RecordSet({"properties": properties})


def _zone_of(name: str, zones: Iterable[str]) -> str | None:
    fitting = [each for each in zones if name == each or name.endswith(f".{each}")]
    return max(fitting, key=len, default=None)


def _relative(name: str, zone: str) -> str:
    return name[: -len(zone)].rstrip(".") or "@"


def _refusal(error: AzureError) -> str:
    """Roughly as azcore prints it; the ruled lines around it are left out."""
    if isinstance(error, ClientAuthenticationError) and error.response is None:
        return f"WorkloadIdentityCredential authentication failed. {error.message}"
    if isinstance(error, HttpResponseError) and error.response is not None:
        request: Any = error.response.request
        status = error.status_code
        code = error.error.code if error.error else error.reason
        body = json.dumps({"error": {"code": code, "message": error.error.message if error.error else error.message}})
        return f"{request.method} {request.url.partition('?')[0]} RESPONSE {status}: {status} {error.reason} ERROR CODE: {code} {body}"
    return str(error.message)
