# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications of the role workload_identity: who shares what, what is refused, and what is made of them."""

from __future__ import annotations

import random

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.application_identities import (
    Manifests,
    checks,
    identities,
    service_accounts,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.applications import applications, problems

READER = {"role": "Reader", "scope": "/subscriptions/s"}
WRITER = {"role": "Contributor", "scope": "/subscriptions/s"}


def application(name="orders", namespace="shop", identity=None, **given):
    return {"name": name, "namespace": namespace, "identity": identity, **given}


def accounts_of(*given):
    """As if the module had made each identity under its own name."""
    made = [
        {**each, "client_id": f"client-{each['name']}", "tenant_id": "tenant"}
        for each in identities(applications(given))
    ]
    return service_accounts(made)


def manifests_of(*given, namespaces=True, tenant=False):
    return Manifests("RG-Apps", namespaces, tenant).present(applications(given), accounts_of(*given))


def test_names_are_the_applications_unless_given():
    (plain,) = identities(applications([application()]))

    assert plain == {
        "name": "orders",
        "federation": "credential",
        "shard": False,
        "service_accounts": [{"namespace": "shop", "name": "orders"}],
        "role_assignments": [],
    }


def test_applications_that_name_the_same_identity_share_it_whatever_its_case():
    given = [
        application("b", identity={"name": "Id-Shop", "tags": {"team": "b"}, "role_assignments": [READER]}),
        application("a", identity={"name": "id-shop", "tags": {"cost": "1"}, "role_assignments": [READER, WRITER]}),
        application("c", identity={"name": "id-shop", "shard": "yes"}, service_account="a"),
    ]

    (shared,) = identities(applications(given))

    assert shared["name"] == "Id-Shop"
    assert shared["tags"] == {"team": "b", "cost": "1"}
    assert shared["role_assignments"] == [READER, WRITER]
    assert shared["shard"] is True
    assert [each["name"] for each in shared["service_accounts"]] == ["a", "b"]


def test_tags_that_nobody_gives_are_left_as_they_are_and_empty_ones_are_wanted_empty():
    without, empty = identities(applications([application("a"), application("b", identity={"tags": {}})]))

    assert "tags" not in without
    assert empty["tags"] == {}


def test_the_order_of_the_applications_changes_nothing():
    given = [application(f"app-{number}", f"team-{number % 3}") for number in range(30)]
    mixed = random.Random(1).sample(given, len(given))

    assert identities(applications(mixed)) == identities(applications(given))
    assert manifests_of(*mixed) == manifests_of(*given)


def test_service_accounts_get_the_client_id_of_the_identity_that_trusts_them():
    made = [
        {
            "name": "id-1",
            "client_id": "one",
            "tenant_id": "t",
            "service_accounts": [{"namespace": "shop", "name": "a"}],
        },
        {
            "name": "id-2",
            "client_id": "two",
            "tenant_id": "t",
            "service_accounts": [{"namespace": "shop", "name": "b"}],
        },
    ]
    given = applications([application("a"), application("b", token_expiration_seconds="7200")])

    namespace, first, second = Manifests("rg", True, True).present(given, service_accounts(made))

    assert namespace == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    prefix = "azure.workload.identity/"
    assert first["metadata"]["annotations"] == {f"{prefix}client-id": "one", f"{prefix}tenant-id": "t"}
    assert second["metadata"]["annotations"] == {
        f"{prefix}client-id": "two",
        f"{prefix}tenant-id": "t",
        f"{prefix}service-account-token-expiration": "7200",
    }


def test_a_shared_service_account_is_made_once():
    given = [
        application("a", service_account="all", identity={"name": "id"}),
        application("b", service_account="all", identity={"name": "id"}),
    ]

    assert [each["kind"] for each in manifests_of(*given, namespaces=False)] == ["ServiceAccount"]


def test_a_bound_identity_is_for_exactly_its_service_accounts():
    bound = {"name": "Id-Shop", "federation": "binding"}
    given = [application("a", identity=bound), application("b", "other", identity=bound), application("c")]

    role, binding = manifests_of(*given)[-2:]

    assert role["metadata"]["name"] == binding["metadata"]["name"] == "aks.virtual_nodes:rg-apps:id-shop"
    assert role["rules"] == [
        {"apiGroups": ["cid.wi.aks.azure.com"], "resources": ["client-Id-Shop"], "verbs": ["use-managed-identity"]}
    ]
    assert [(each["namespace"], each["name"]) for each in binding["subjects"]] == [("other", "b"), ("shop", "a")]
    assert checks(applications(given), accounts_of(*given)) == [
        {"identity": "c", "namespace": "shop", "service_account": "c"}
    ]


def test_what_is_removed_is_what_was_made():
    bound = {"name": "id-shop", "federation": "binding"}
    given = [application("a", identity=bound), application("b", "other")]

    gone = Manifests("rg-apps", True, False).absent(applications(given))

    assert [(each["kind"], each["metadata"]["name"]) for each in gone] == [
        (each["kind"], each["metadata"]["name"]) for each in manifests_of(*given)
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([application(), application()], "shop/orders (namespace/name) stands in the list 2 times"),
        (
            [
                application("a", identity={"name": "id"}),
                application("b", identity={"name": "ID", "federation": "binding"}),
            ],
            "Identity id is given different federation by the applications that share it: shop/a, shop/b",
        ),
        (
            [application("a", service_account="x"), application("b", service_account="x")],
            "ServiceAccount shop/x (namespace/name) is to use the identities a and b",
        ),
        (
            [
                application("a", service_account="x", identity={"name": "i"}, token_expiration_seconds=3600),
                application("b", service_account="x", identity={"name": "i"}),
            ],
            "ServiceAccount shop/x (namespace/name) is given different token_expiration_seconds",
        ),
        ([application(token_expiration_seconds=60)], "(namespace/name) is 60; it must be from 3600 to 86400"),
        ([application(token_expiration_seconds="0")], "(namespace/name) is 0; it must be from 3600 to 86400"),
    ],
)
def test_what_does_not_agree_is_told(given, said):
    (problem,) = problems(applications(given))

    assert said in problem


def test_applications_that_agree_are_no_problem():
    same = {"name": "id-shop"}
    given = [application("a", service_account="x", identity=same), application("b", service_account="x", identity=same)]

    assert problems(applications([*given, application("x", "other")])) == []
