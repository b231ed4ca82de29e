# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workload identity webhook: what Azure Workload Identity 1.6.0 adds to a labelled pod."""

from __future__ import annotations

import hashlib

from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.copies import copied
from lab.kubernetes.errors import StatusError
from lab.kubernetes.store import Object

NAME = "mutation.azure-workload-identity.io"
PREFIX = "azure.workload.identity/"
USE = f"{PREFIX}use"
CLIENT_ID = f"{PREFIX}client-id"
TENANT_ID = f"{PREFIX}tenant-id"
EXPIRATION = f"{PREFIX}service-account-token-expiration"
SKIP_CONTAINERS = f"{PREFIX}skip-containers"

AUDIENCE = "api://AzureADTokenExchange"
MOUNT_PATH = "/var/run/secrets/azure/wi"
TOKEN_PATH = "token/azure-identity-token"
SHORTEST, LONGEST = 3600, 86400
VOLUME_PREFIX = "azure-workload-identity-reserved-"
# The name of a volume is a DNS label.
LONGEST_NAME = 63


def mutate(pod: Object, service_account: Object | None, settings: ClusterSettings) -> Object:
    """
    The pod as it is to be stored; `pod` is not changed.

    :raises StatusError: the webhook refuses the pod.
    """
    metadata = pod["metadata"]
    if (metadata.get("labels") or {}).get(USE) != "true" or metadata.get("namespace") == "kube-system":
        return pod
    if service_account is None:
        raise _denied(f'serviceaccounts "{pod["spec"].get("serviceAccountName") or "default"}" not found')
    mutated: Object = copied(pod)
    annotations = metadata.get("annotations") or {}
    granted = service_account["metadata"].get("annotations") or {}
    seconds = _expiration(annotations.get(EXPIRATION) or granted.get(EXPIRATION) or str(SHORTEST))
    variables = {
        "AZURE_CLIENT_ID": granted.get(CLIENT_ID, ""),
        "AZURE_TENANT_ID": granted.get(TENANT_ID, settings.tenant_id),
        "AZURE_FEDERATED_TOKEN_FILE": f"{MOUNT_PATH}/{TOKEN_PATH}",
        "AZURE_AUTHORITY_HOST": settings.authority_host,
    }
    volume = _volume_name(metadata)
    skipped = {name.strip() for name in annotations.get(SKIP_CONTAINERS, "").split(";")}
    spec = mutated["spec"]
    for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
        if container["name"] not in skipped:
            _add_variables(container, variables)
            mount = {"name": volume, "readOnly": True, "mountPath": MOUNT_PATH}
            _put_by_name(container, "volumeMounts", mount)
    _put_by_name(spec, "volumes", _volume(volume, seconds))
    return mutated


def _denied(why: str) -> StatusError:
    # The webhook answers 400 and no reason, whatever the matter is.
    return StatusError(400, "", f'admission webhook "{NAME}" denied the request: {why}')


def _expiration(text: str) -> int:
    try:
        seconds = int(text)
    except ValueError:
        raise _denied(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if not SHORTEST <= seconds <= LONGEST:
        raise _denied(f"token expiration {seconds} not valid. Expected value to be between {SHORTEST} and {LONGEST}")
    return seconds


def _volume_name(metadata: Object) -> str:
    name = metadata.get("name") or f"{metadata.get('generateName', '')} (prefix)"
    return f"{VOLUME_PREFIX}{hashlib.sha256(name.encode()).hexdigest()}"[:LONGEST_NAME]


def _volume(name: str, seconds: int) -> Object:
    token = {"audience": AUDIENCE, "expirationSeconds": seconds, "path": TOKEN_PATH}
    return {"name": name, "projected": {"sources": [{"serviceAccountToken": token}], "defaultMode": 420}}


def _add_variables(container: Object, variables: dict[str, str]) -> None:
    present = {variable["name"] for variable in container.get("env") or []}
    added = [{"name": name, "value": value} for name, value in variables.items() if value and name not in present]
    container["env"] = [*(container.get("env") or []), *added]


def _put_by_name(owner: Object, field: str, entry: Object) -> None:
    others = [each for each in owner.get(field) or [] if each["name"] != entry["name"]]
    owner[field] = [*others, entry]
