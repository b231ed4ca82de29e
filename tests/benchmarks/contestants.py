# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Four ways to give N applications an identity, a federated credential and an annotated ServiceAccount."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.stage import Measured, Stage, measure
from clients.azure_cli import AzureCli

NAMESPACE = "bench"
AUDIENCE = "api://AzureADTokenExchange"
_IDENTITIES = "providers/Microsoft.ManagedIdentity/userAssignedIdentities"


def by_az(stage: Stage, count: int) -> Measured:
    """(a) The recipe's own commands, in a loop of the shell."""
    az = AzureCli(stage.lab.environment, stage.directory)
    az.sign_in()
    script = stage.directory / "recipe.sh"
    script.write_text(_SCRIPT, encoding="utf-8")
    script.chmod(stat.S_IRWXU)
    given = {"AZ": az.program, "COUNT": str(count), "ISSUER": stage.issuer, "NAMESPACE": NAMESPACE}
    return measure(stage.lab, ["/bin/sh", str(script)], az.environment | given, stage.directory)


_SCRIPT = """
set -eu
kubectl create namespace "$NAMESPACE"
for number in $(seq 1 "$COUNT"); do
    client_id=$("$AZ" identity create --resource-group "$LAB_RESOURCE_GROUP" --name "id-$number" --query clientId --output tsv)
    kubectl apply --filename - <<END
apiVersion: v1
kind: ServiceAccount
metadata:
  name: app-$number
  namespace: $NAMESPACE
  annotations:
    azure.workload.identity/client-id: $client_id
END
    "$AZ" identity federated-credential create --resource-group "$LAB_RESOURCE_GROUP" --identity-name "id-$number" \\
        --name credential --issuer "$ISSUER" --subject "system:serviceaccount:$NAMESPACE:app-$number" \\
        --audience api://AzureADTokenExchange --output none
done
"""


def by_uri(stage: Stage, count: int) -> Measured:
    """(b) A playbook that loops over ansible.builtin.uri and kubernetes.core.k8s."""
    environment = stage.lab.environment
    group = f"/subscriptions/{environment['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{environment['LAB_RESOURCE_GROUP']}"
    arm = f"{environment['AZURE_CLOUD_ENVIRONMENT']}{group}/{_IDENTITIES}"
    ca = {"ca_path": environment["REQUESTS_CA_BUNDLE"]}
    signed_in = {"headers": {"Authorization": "Bearer {{ token.json.access_token }}"}, "status_code": [200, 201], **ca}
    sign_in = {
        "url": f"{environment['LAB_AUTHORITY_URL']}/{environment['AZURE_TENANT']}/oauth2/v2.0/token",
        "method": "POST",
        "body_format": "form-urlencoded",
        "body": {
            "grant_type": "client_credentials",
            "client_id": environment["AZURE_CLIENT_ID"],
            "client_secret": environment["AZURE_SECRET"],
            "scope": f"{environment['AZURE_CLOUD_ENVIRONMENT']}/.default",
        },
        **ca,
    }
    identity = {
        "url": f"{arm}/id-{{{{ item }}}}?api-version=2024-11-30",
        "method": "PUT",
        "body_format": "json",
        "body": {"location": "westeurope"},
        **signed_in,
    }
    subject = f"system:serviceaccount:{NAMESPACE}:app-{{{{ item }}}}"
    credential = {
        "url": f"{arm}/id-{{{{ item }}}}/federatedIdentityCredentials/credential?api-version=2024-11-30",
        "method": "PUT",
        "body_format": "json",
        "body": {"properties": {"issuer": stage.issuer, "subject": subject, "audiences": [AUDIENCE]}},
        **signed_in,
    }
    account = _account("app-{{ item.item }}", "{{ item.json.properties.clientId }}")
    tasks: list[dict[str, Any]] = [
        {"kubernetes.core.k8s": {"definition": _namespace()}},
        {"ansible.builtin.uri": sign_in, "register": "token", "no_log": True},
        {"ansible.builtin.uri": identity, "loop": _numbers(count), "register": "made"},
        {"ansible.builtin.uri": credential, "loop": _numbers(count)},
        {"kubernetes.core.k8s": {"definition": account}, "loop": "{{ made.results }}"},
    ]
    return play(stage, tasks)


def by_single_modules(stage: Stage, count: int) -> Measured:
    """(c) This collection's modules for one resource each, in loops."""
    group = {"resource_group": stage.lab.environment["LAB_RESOURCE_GROUP"]}
    identity = {"name": "id-{{ item }}", **group}
    credential = {
        "identity": "id-{{ item }}",
        "name": "credential",
        "issuer": stage.issuer,
        "namespace": NAMESPACE,
        "service_account": "app-{{ item }}",
        **group,
    }
    account = _account("app-{{ item.item }}", "{{ item.identity.client_id }}")
    tasks: list[dict[str, Any]] = [
        {"aks.virtual_nodes.kubernetes_objects": {"definitions": [_namespace()]}},
        {"aks.virtual_nodes.user_assigned_identity": identity, "loop": _numbers(count), "register": "made"},
        {"aks.virtual_nodes.federated_credential": credential, "loop": _numbers(count)},
        {"aks.virtual_nodes.kubernetes_objects": {"definitions": [account]}, "loop": "{{ made.results }}"},
    ]
    return play(stage, tasks)


def in_bulk(stage: Stage, count: int) -> Measured:
    """(d) workload_identities, and kubernetes_objects with the list of all ServiceAccounts: the tasks of the role."""
    group = stage.lab.environment["LAB_RESOURCE_GROUP"]
    accounts = "made.identities | aks.virtual_nodes.workload_identity_service_accounts"
    manifests = f"applications | aks.virtual_nodes.workload_identity_manifests({accounts}, resource_group='{group}')"
    objects = {"aks.virtual_nodes.kubernetes_objects": {"definitions": f"{{{{ {manifests} }}}}"}}
    return play(stage, [_bulk_task(stage), objects], {"applications": _applications(count)})


def in_azure_alone(stage: Stage, count: int) -> Measured:
    """The half of (d) that Azure Resource Manager's token buckets have to do with."""
    return play(stage, [_bulk_task(stage)], {"applications": _applications(count)})


def _bulk_task(stage: Stage) -> dict[str, Any]:
    wanted = {
        "resource_group": stage.lab.environment["LAB_RESOURCE_GROUP"],
        "issuers": [stage.issuer],
        "identities": "{{ applications | aks.virtual_nodes.workload_identity_identities }}",
    }
    return {"aks.virtual_nodes.workload_identities": wanted, "register": "made"}


def _applications(count: int) -> list[dict[str, Any]]:
    return [
        {"name": f"app-{number}", "namespace": NAMESPACE, "identity": {"name": f"id-{number}"}}
        for number in _numbers(count)
    ]


def play(stage: Stage, tasks: list[dict[str, Any]], variables: Mapping[str, Any] | None = None) -> Measured:
    """Run the tasks with ansible-playbook, to the end and without a failure."""
    named = [{"name": f"Task {number}", **task} for number, task in enumerate(tasks, start=1)]
    playbook = stage.directory / "playbook.json"
    content = [
        {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables or {}, "tasks": named}
    ]
    playbook.write_text(json.dumps(content), encoding="utf-8")
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    return measure(stage.lab, [program, str(playbook)], stage.ansible.environment_alone(), stage.directory)


def _namespace() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def _account(name: str, client_id: str) -> dict[str, Any]:
    annotations = {"azure.workload.identity/client-id": client_id}
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _numbers(count: int) -> list[int]:
    return list(range(1, count + 1))
