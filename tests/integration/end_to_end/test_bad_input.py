# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: each case a clear error that names what is wrong, before any write."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.ansible_playbook import AnsiblePlaybook, TaskOutcome
from harness.laboratory import Lab

ISSUER = "https://issuer.example.com/tenant/cluster/"
EXISTING_IDENTITY = "id-existing"
SOME_GUID = "99999999-9999-4999-8999-999999999999"
TOO_LONG = "a" * 129


@dataclass(frozen=True)
class Case:
    """One task that must fail: `expected` are the words that the error must hold, whatever their case."""

    name: str
    module: str
    arguments: Mapping[str, Any]
    expected: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def identity(name: str, *expected: str, case: str, **more: Any) -> Case:
    return Case(case, "user_assigned_identity", {"name": name, **more}, expected)


def credential(case: str, *expected: str, **changed: Any) -> Case:
    arguments = {
        "identity": EXISTING_IDENTITY,
        "name": "credential",
        "issuer": ISSUER,
        "subject": "system:serviceaccount:shop:orders",
        **changed,
    }
    return Case(case, "federated_credential", {k: v for k, v in arguments.items() if v is not None}, expected)


def identities(case: str, *expected: str, identities: list[dict[str, Any]], **changed: Any) -> Case:
    return Case(case, "workload_identities", {"issuers": [ISSUER], "identities": identities, **changed}, expected)


def sign_in(case: str, *expected: str, **environment: str) -> Case:
    return Case(case, "user_assigned_identity", {"name": "id-new"}, expected, environment)


VAULT = "{{ lookup('ansible.builtin.env', 'LAB_VAULT_ID') }}"
ACCOUNTS_21 = [{"namespace": "shop", "name": f"account-{number}"} for number in range(21)]
ORDERS = [{"namespace": "shop", "name": "orders"}]
NO_SIGN_IN = dict.fromkeys(
    ("AZURE_CLIENT_ID", "AZURE_SECRET", "AZURE_CLIENT_SECRET", "AZURE_TENANT", "AZURE_TENANT_ID"), ""
)

CASES = [
    identity("-identity", "-identity", "letter", case="identity name that begins with a hyphen"),
    identity("id", "'id'", "3", case="identity name that is too short"),
    identity(TOO_LONG, "128", case="identity name that is too long"),
    identity("id orders", "id orders", "letters", case="identity name with a blank"),
    identity("id-new", "rg-missing", case="identity in a missing resource group", resource_group="rg-missing"),
    credential("credential name that is too short", "'ab'", "3", name="ab"),
    credential("credential name with a dot", "a.credential", "letters", name="a.credential"),
    credential("credential of a missing identity", "id-missing", identity="id-missing"),
    credential("subject without a name", "system:serviceaccount:shop", subject="system:serviceaccount:shop"),
    credential("subject with a blank at its end", "blank", subject="system:serviceaccount:shop:orders "),
    credential("subject with a wildcard", "*", subject="system:serviceaccount:shop:*"),
    credential("namespace in upper case", "Shop", "lower-case", subject=None, namespace="Shop", service_account="a"),
    credential("empty subject", "subject", subject=""),
    credential("issuer that is no https URL", "http://issuer", "https", issuer="http://issuer.example.com/"),
    credential("issuer with a blank at its end", "blank", issuer=f"{ISSUER} "),
    credential("no audience", "audience", audiences=[]),
    credential("empty audience", "audience", audiences=[""]),
    credential("second audience", "audience", "one", audiences=["api://AzureADTokenExchange", "api://other"]),
    identities("one identity twice", "id-twice", identities=[{"name": "id-twice"}, {"name": "ID-Twice"}]),
    identities("more than 20 credentials", "20", identities=[{"name": "id-full", "service_accounts": ACCOUNTS_21}]),
    identities(
        "service account of two identities",
        "shop/orders",
        identities=[
            {"name": "id-one", "service_accounts": ORDERS},
            {"name": "id-two", "service_accounts": ORDERS},
        ],
    ),
    identities("no issuer", "issuers", issuers=[], identities=[{"name": "id-new", "service_accounts": ORDERS}]),
    identities(
        "unknown role",
        "Key Vault Sekrets User",
        identities=[
            {
                "name": "id-new",
                "role_assignments": [{"role": "Key Vault Sekrets User", "scope": VAULT}],
            },
        ],
    ),
    identities(
        "scope that is no id",
        "kv-lab",
        identities=[
            {"name": "id-new", "role_assignments": [{"role": "Key Vault Secrets User", "scope": "kv-lab"}]},
        ],
    ),
    identities(
        "identities in a missing resource group",
        "rg-missing",
        identities=[{"name": "id-new"}],
        resource_group="rg-missing",
    ),
    identities("second of three is bad", "b@d", identities=[{"name": "id-a"}, {"name": "b@d"}, {"name": "id-c"}]),
    Case("missing cluster", "cluster_features", {"name": "aks-missing", "oidc_issuer": True}, ("aks-missing",)),
    Case(
        "cluster in a missing resource group",
        "cluster_features",
        {"name": "aks-lab", "oidc_issuer": True, "resource_group": "rg-missing"},
        ("rg-missing",),
    ),
    Case(
        "workload identity without the issuer",
        "cluster_features",
        {"name": "aks-lab", "oidc_issuer": False, "workload_identity": True},
        ("issuer",),
    ),
    Case(
        "check of a missing identity",
        "workload_identity_check",
        {"checks": [{"identity": "id-missing", "namespace": "default", "service_account": "default"}]},
        ("id-missing",),
    ),
    Case(
        "check of a missing service account",
        "workload_identity_check",
        {
            "checks": [{"identity": EXISTING_IDENTITY, "namespace": "default", "service_account": "nobody"}],
            "wait_timeout": 2,
        },
        ("nobody",),
    ),
    Case(
        "manifest without a name",
        "kubernetes_objects",
        {"definitions": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {}}]},
        ("name",),
    ),
    Case(
        "manifest of an unknown kind",
        "kubernetes_objects",
        {"definitions": [{"apiVersion": "v1", "kind": "Nonsense", "metadata": {"name": "a"}}]},
        ("Nonsense",),
    ),
    Case(
        "manifest that stands twice",
        "kubernetes_objects",
        {"definitions": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "twice"}}] * 2},
        ("twice",),
    ),
    sign_in("no credentials", "AZURE_CLIENT_ID", **NO_SIGN_IN, ANSIBLE_AZURE_AUTH_SOURCE="env"),
    sign_in("unknown subscription", SOME_GUID, AZURE_SUBSCRIPTION_ID=SOME_GUID),
    sign_in("wrong secret", "AADSTS7000215", AZURE_SECRET="wrong", AZURE_CLIENT_SECRET="wrong"),
    sign_in("wrong tenant", SOME_GUID, "AZURE_TENANT", AZURE_TENANT=SOME_GUID, AZURE_TENANT_ID=SOME_GUID),
    sign_in("unknown client", "AADSTS700016", AZURE_CLIENT_ID=SOME_GUID),
    sign_in("unknown cloud", "AzureMarsCloud", AZURE_CLOUD_ENVIRONMENT="AzureMarsCloud"),
]

_ON_KUBERNETES_ALONE = ("kubernetes_objects",)


def task(case: Case, resource_group: str) -> dict[str, Any]:
    own_group = {} if case.module in _ON_KUBERNETES_ALONE else {"resource_group": resource_group}
    return {
        "name": case.name,
        f"aks.virtual_nodes.{case.module}": {**own_group, **case.arguments},
        "environment": dict(case.environment),
        "ignore_errors": True,
    }


@pytest.fixture(scope="module")
def outcomes(
    ansible: AnsiblePlaybook, lab: Lab, site_variables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, TaskOutcome]:
    """What became of every case, all of them run as tasks of one playbook."""
    group = site_variables["resource_group"]
    existing = Case("an identity that is there", "user_assigned_identity", {"name": EXISTING_IDENTITY}, ())
    _play(ansible, tmp_path_factory.mktemp("first"), [task(existing, group)])
    lab.forget_requests()
    run = _play(ansible, tmp_path_factory.mktemp("cases"), [task(case, group) for case in CASES])
    return {outcome.task: outcome for outcome in run}


def _play(ansible: AnsiblePlaybook, directory: Path, tasks: list[dict[str, Any]]) -> tuple[TaskOutcome, ...]:
    playbook = directory / "playbook.json"
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    run = ansible.run(playbook)
    assert run.returncode == 0, run.output
    return run.tasks


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_a_clear_error(outcomes: dict[str, TaskOutcome], case: Case) -> None:
    outcome = outcomes[case.name]
    assert outcome.status == "ignored", f"accepted: {outcome.result}"
    message = outcome.result["msg"]
    assert "Traceback" not in message
    for word in case.expected:
        assert word.lower() in message.lower(), message


def test_no_case_wrote_anything(outcomes: dict[str, TaskOutcome], lab: Lab) -> None:
    assert lab.requests()
    assert lab.writes() == []


def test_an_expired_secret_is_named(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any], tmp_path: Path
) -> None:
    description = (
        "AADSTS7000222: The provided client secret keys for app 'ops' are expired. "
        "Visit the Azure portal to create new keys for your app."
    )
    body = {"error": "invalid_client", "error_description": description, "error_codes": [7000222]}
    quiet_lab.inject(
        {
            "service": "entra",
            "method": "POST",
            "path": "/oauth2/v2.0/token$",
            "times": None,
            "action": "respond",
            "status": 401,
            "body": body,
        }
    )
    case = Case("expired secret", "user_assigned_identity", {"name": "id-new"}, ())
    (outcome,) = _play(ansible, tmp_path, [task(case, site_variables["resource_group"])])
    assert outcome.status == "ignored"
    assert "AADSTS7000222" in outcome.result["msg"]
    assert "expired" in outcome.result["msg"]
    assert quiet_lab.writes() == []


def test_one_of_several_subscriptions_has_to_be_named(
    ansible: AnsiblePlaybook, quiet_lab: Lab, site_variables: dict[str, Any], tmp_path: Path
) -> None:
    visible = [{"subscriptionId": guid, "state": "Enabled"} for guid in (SOME_GUID, SOME_GUID.replace("9", "8"))]
    answer = {"action": "respond", "status": 200, "body": {"value": visible}}
    quiet_lab.inject({"service": "arm", "method": "GET", "path": "/subscriptions$", "times": None, **answer})
    case = Case("no subscription", "user_assigned_identity", {"name": "id-new"}, (), {"AZURE_SUBSCRIPTION_ID": ""})
    (outcome,) = _play(ansible, tmp_path, [task(case, site_variables["resource_group"])])
    assert outcome.status == "ignored"
    assert "AZURE_SUBSCRIPTION_ID" in outcome.result["msg"]
    assert SOME_GUID in outcome.result["msg"]
    assert quiet_lab.writes() == []


def _with(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change to the first application, at a place such as `identity.name`."""

    def change(application: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        place = application
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return change


WHOLE_RUNS = [
    pytest.param(_with("identity.name", "b@d"), "b@d", id="identity name that Azure refuses"),
    pytest.param(_with("namespace", "Shop"), "Shop", id="namespace that Kubernetes refuses"),
    pytest.param(_with("deployment.resources", None), "resources", id="deployment without resources"),
    pytest.param(_with("deployment.replica", 2), "replica", id="misspelt option"),
    pytest.param(_with("deployment.zone", "1;2"), "one zone", id="two zones"),
    pytest.param(_with("deployment.tags", {"a/b": "c"}), "a/b", id="tag that Azure refuses"),
    pytest.param(_with("token_expiration_seconds", 60), "3600", id="token lifetime out of range"),
]


@pytest.mark.parametrize(("change", "expected"), WHOLE_RUNS)
def test_site_stops_before_it_touches_the_cluster(
    ansible: AnsiblePlaybook,
    quiet_lab: Lab,
    site_variables: dict[str, Any],
    applications: Callable[[int], list[dict[str, Any]]],
    change: Callable[[dict[str, Any]], None],
    expected: str,
) -> None:
    given = copy.deepcopy(applications(2))
    change(given[0])
    names = ("resource_group", "cluster_name")
    run = ansible.run("playbooks/site.yml", {name: site_variables[name] for name in names} | {"applications": given})
    assert run.returncode != 0
    assert expected in run.failures[0].result["msg"]
    assert quiet_lab.writes() == []
