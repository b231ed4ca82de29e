# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ContainerService: managed clusters, with long-running updates, ETags and busy states.

Bodies and headers: the REST reference and azure-mgmt-containerservice; refusals: Microsoft Learn's AKS troubleshooting pages.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.arm import errors
from lab.arm.call import Answer, Call
from lab.cloud import Body, Cloud

TYPE = "Microsoft.ContainerService/ManagedClusters"
RETRY_AFTER_S = 1
# What the service alone writes; whatever a client sends for it is ignored.
_READ_ONLY = (
    "provisioningState",
    "powerState",
    "currentKubernetesVersion",
    "fqdn",
    "privateFQDN",
    "azurePortalFQDN",
    "maxAgentPools",
    "resourceUID",
    "identityProfile",
)
_READ_ONLY_OF_POOLS = ("provisioningState", "currentOrchestratorVersion", "eTag")
_READ_ONLY_OF_IDENTITY = ("principalId", "tenantId")
_IMMUTABLE = ("nodeResourceGroup", "dnsPrefix")


@dataclass
class ManagedClusters:
    """
    :ivar kubeconfig: what C(listClusterUserCredential) gives.
    :ivar on_features: told of OIDC issuer and workload identity when an update is done.
    """

    issuer_url: str
    kubeconfig: Callable[[], str]
    on_features: Callable[[bool, bool], None]
    _operations: dict[str, Body] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def list_of_group(self, call: Call) -> Answer:
        call.require_group(call.names["group"])
        return call.page(call.cloud.below(call.path))

    def list_of_subscription(self, call: Call) -> Answer:
        return call.page(call.cloud.of_type(TYPE))

    def get(self, call: Call) -> Answer:
        return Answer(_cluster(call))

    def put(self, call: Call) -> Answer:
        given = call.body()
        cluster = _existing(call)
        _check_precondition(call, cluster)
        _refuse_if_busy(cluster)
        _check(given, cluster)
        return self._start(call, cluster, _replaced(cluster, given))

    def patch_tags(self, call: Call) -> Answer:
        cluster = _cluster(call)
        _check_precondition(call, cluster)
        _refuse_if_busy(cluster)
        return self._start(call, cluster, {**cluster, "tags": call.body().get("tags") or {}})

    def credentials(self, call: Call) -> Answer:
        cluster = _cluster(call)
        if call.path.lower().endswith("admincredential") and cluster["properties"].get("disableLocalAccounts"):
            raise errors.bad_request(
                "Getting static credential is not allowed because this cluster is set to disable local accounts."
            )
        content = base64.b64encode(self.kubeconfig().encode()).decode()
        name = "clusterAdmin" if call.path.lower().endswith("admincredential") else "clusterUser"
        return Answer({"kubeconfigs": [{"name": name, "value": content}]})

    def operation(self, call: Call) -> Answer:
        found = self._operations.get(call.names["operation"].lower())
        if found is None:
            raise errors.ArmError(404, "NotFound", f"The operation '{call.names['operation']}' was not found.")
        headers = {} if "endTime" in found else {"Retry-After": str(RETRY_AFTER_S)}
        return Answer(found, headers=headers)

    def start(self, call: Call, location: str, work: Coroutine[Any, Any, None]) -> dict[str, str]:
        """Do the work of a long-running operation, and say where the client finds how far it is."""
        operation = {"name": str(uuid.uuid4()), "status": "InProgress", "startTime": _moment()}
        self._operations[operation["name"]] = operation

        async def run() -> None:
            await work
            operation.update({"status": "Succeeded", "endTime": _moment()})

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        base = f"{call.base}/subscriptions/{call.scenario.subscription_id}/providers/Microsoft.ContainerService/locations/{location}"
        return {
            "Azure-AsyncOperation": f"{base}/operations/{operation['name']}?api-version={call.api_version}",
            "Retry-After": str(RETRY_AFTER_S),
        }

    def _start(self, call: Call, cluster: Body, wanted: Body) -> Answer:
        updating = {**cluster, "properties": {**cluster["properties"], "provisioningState": "Updating"}}
        call.cloud.put(call.path, updating)
        links = self.start(call, cluster["location"], self._finish(call, wanted))
        shown = {**wanted, "properties": {**wanted["properties"], "provisioningState": "Updating"}}
        return Answer(shown, 200, links)

    async def _finish(self, call: Call, wanted: Body) -> None:
        await asyncio.sleep(call.scenario.cluster_update_seconds)
        done = copy.deepcopy(wanted)
        properties = done["properties"]
        properties["provisioningState"] = "Succeeded"
        done["eTag"] = str(uuid.uuid4())
        issuer = properties.setdefault("oidcIssuerProfile", {"enabled": False})
        if issuer.get("enabled"):
            issuer["issuerURL"] = self.issuer_url
        call.cloud.put(call.path, done)
        self.on_features(*features(done))


def features(cluster: Body) -> tuple[bool, bool]:
    """Whether the OIDC issuer is on, and workload identity."""
    properties = cluster["properties"]
    workload_identity = (properties.get("securityProfile") or {}).get("workloadIdentity") or {}
    return bool((properties.get("oidcIssuerProfile") or {}).get("enabled")), bool(workload_identity.get("enabled"))


def rewrite(cloud: Cloud, resource_id: str, cluster: Body) -> None:
    """Store what another writer made of a cluster, with a new ETag."""
    cloud.put(resource_id, {**cluster, "eTag": str(uuid.uuid4())})


def _cluster(call: Call) -> Body:
    group = call.group
    found = call.cloud.find(_path(call))
    if found is None:
        raise errors.resource_not_found("Microsoft.ContainerService/managedClusters", call.names["name"], group)
    return found


def _existing(call: Call) -> Body:
    """The lab does not make clusters: that takes minutes and no module asks for it."""
    call.require_group(call.names["group"])
    found = call.cloud.find(_path(call))
    if found is None:
        raise errors.ArmError(
            501, "NotImplemented", "This is a simulator: it holds one managed cluster and creates no other."
        )
    return found


def _path(call: Call) -> str:
    return (
        f"/subscriptions/{call.scenario.subscription_id}/resourceGroups/{call.names['group']}"
        f"/providers/Microsoft.ContainerService/managedClusters/{call.names['name']}"
    )


def _check_precondition(call: Call, cluster: Body) -> None:
    condition = call.headers.get("If-Match", "*").strip('"')
    if condition not in ("*", cluster["eTag"]):
        raise errors.ArmError(
            412,
            "EtagMismatch",
            f"Operation is not allowed: the ETag '{condition}' of the request does not match the ETag '{cluster['eTag']}' of the resource.",
        )
    if call.headers.get("If-None-Match") == "*":
        raise errors.ArmError(412, "PreconditionFailed", f"The managed cluster '{cluster['name']}' exists already.")


def _refuse_if_busy(cluster: Body) -> None:
    properties = cluster["properties"]
    state = properties["provisioningState"]
    if state not in ("Succeeded", "Failed", "Canceled"):
        raise errors.ArmError(
            409,
            "OperationNotAllowed",
            f"Operation is not allowed because there's an in progress {state} managed cluster operation on the managed cluster "
            f"{cluster['name']} started. Please wait for it to finish before starting a new operation. See "
            "https://aka.ms/aks-pending-operation for more details",
        )
    if properties["powerState"]["code"] == "Stopped":
        raise errors.ArmError(
            409,
            "OperationNotAllowed",
            f"managed cluster is in Stopped state, {cluster['name']} must be started before any other operation.",
        )


def _check(given: dict[str, Any], cluster: Body) -> None:
    if not given.get("location"):
        raise errors.ArmError(400, "LocationRequired", "The location property is required for this definition.")
    wanted = {"properties": given.get("properties") or {}}
    issuer, workload_identity = features(wanted)
    was_on = features(cluster)[0]
    asked = (wanted["properties"].get("oidcIssuerProfile") or {}).get("enabled")
    if was_on and asked is False:
        raise errors.ArmError(400, "BadRequest", "OIDC issuer feature cannot be disabled.")
    if workload_identity and not (issuer or (was_on and asked is None)):
        raise errors.ArmError(
            400,
            "InvalidParameter",
            "Enabling workload identity requires enabling OIDC issuer (properties.oidcIssuerProfile.enabled).",
        )


def _replaced(cluster: Body, given: dict[str, Any]) -> Body:
    """The whole of what was sent, but for what only the service writes."""
    properties = copy.deepcopy(given.get("properties") or {})
    for name in (*_READ_ONLY, *_IMMUTABLE):
        _keep(properties, cluster["properties"], (name,))
    pools = {pool["name"]: pool for pool in cluster["properties"].get("agentPoolProfiles") or []}
    for pool in properties.get("agentPoolProfiles") or []:
        _keep(pool, pools.get(pool.get("name"), {}), _READ_ONLY_OF_POOLS)
    issuer_url = (cluster["properties"].get("oidcIssuerProfile") or {}).get("issuerURL")
    if issuer_url:
        properties.setdefault("oidcIssuerProfile", {"enabled": True})["issuerURL"] = issuer_url
    else:
        (properties.get("oidcIssuerProfile") or {}).pop("issuerURL", None)
    kept = {name: cluster[name] for name in ("id", "name", "type", "location", "eTag")}
    sent = {name: value for name, value in given.items() if name not in (*kept, "properties", "systemData")}
    if isinstance(sent.get("identity"), dict):
        sent["identity"] = dict(sent["identity"])
        same = sent["identity"].get("type") == (cluster.get("identity") or {}).get("type")
        _keep(sent["identity"], cluster["identity"] if same else {}, _READ_ONLY_OF_IDENTITY)
    # In the order in which the service shows them.
    wanted = {**sent, **kept, "properties": properties}
    return {name: wanted[name] for name in [*cluster, *wanted] if name in wanted}


def _keep(wanted: dict[str, Any], stored: dict[str, Any], names: tuple[str, ...]) -> None:
    """What is read-only stays as stored, whatever was sent for it."""
    for name in names:
        wanted.pop(name, None)
        if name in stored:
            wanted[name] = stored[name]


def _moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
