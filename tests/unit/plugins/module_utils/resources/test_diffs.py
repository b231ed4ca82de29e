# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import UNKNOWN, Action
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources import user_assigned_identity
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.managed_cluster import FeaturesSpec, diff
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.user_assigned_identity import IdentitySpec


def cluster(**changes):
    state = {
        "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/aks",
        "name": "aks",
        "resource_group": "g",
        "power_state": "Running",
        "provisioning_state": "Succeeded",
        "oidc_issuer_enabled": False,
        "oidc_issuer_url": "",
        "workload_identity_enabled": False,
    }
    return {**state, **changes}


BOTH = FeaturesSpec(oidc_issuer=True, workload_identity=True)


def test_features_are_switched_on_and_the_new_issuer_url_is_known_only_afterwards():
    change = diff(cluster(), BOTH)

    assert change.action is Action.UPDATE
    assert change.after == {"oidc_issuer_enabled": True, "oidc_issuer_url": UNKNOWN, "workload_identity_enabled": True}


def test_a_cluster_that_has_the_features_needs_no_change_even_when_it_is_stopped():
    ready = cluster(oidc_issuer_enabled=True, workload_identity_enabled=True, power_state="Stopped")

    assert diff(ready, BOTH) is None


def test_switching_the_issuer_off_is_refused_with_the_reason():
    with pytest.raises(ConfigurationError, match="AKS cannot switch it off again"):
        diff(cluster(oidc_issuer_enabled=True), FeaturesSpec(oidc_issuer=False))


def test_an_issuer_that_is_off_may_stay_off():
    assert diff(cluster(), FeaturesSpec(oidc_issuer=False)) is None


def test_workload_identity_without_the_issuer_is_refused():
    with pytest.raises(ConfigurationError, match="set oidc_issuer: true as well"):
        diff(cluster(), FeaturesSpec(workload_identity=True))


def test_workload_identity_can_be_switched_off_and_the_issuer_stays():
    change = diff(
        cluster(oidc_issuer_enabled=True, oidc_issuer_url="https://i/", workload_identity_enabled=True),
        FeaturesSpec(workload_identity=False),
    )

    assert change.after == {
        "oidc_issuer_enabled": True,
        "oidc_issuer_url": "https://i/",
        "workload_identity_enabled": False,
    }


@pytest.mark.parametrize(
    ("state", "explanation"),
    [({"power_state": "Stopped"}, "az aks start"), ({"provisioning_state": "Failed"}, "az aks update")],
)
def test_a_cluster_that_cannot_be_updated_is_refused_with_the_command_that_helps(state, explanation):
    with pytest.raises(ConfigurationError, match=explanation):
        diff(cluster(**state), BOTH)


IDENTITY_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-orders"


def identity(**changes):
    state = {
        "id": IDENTITY_ID,
        "name": "id-orders",
        "resource_group": "g",
        "location": "westeurope",
        "tags": {"team": "shop"},
        "isolation_scope": "None",
        "client_id": "1",
        "principal_id": "2",
        "tenant_id": "3",
    }
    return {**state, **changes}


def test_a_new_identity_takes_the_groups_location_and_has_ids_only_afterwards():
    change = user_assigned_identity.diff(IDENTITY_ID, IdentitySpec("id-orders"), None, "westeurope")

    assert change.action is Action.CREATE
    assert (change.after["location"], change.after["client_id"]) == ("westeurope", UNKNOWN)


def test_unmentioned_properties_of_an_identity_are_left_alone():
    assert user_assigned_identity.diff(IDENTITY_ID, IdentitySpec("id-orders"), identity(), "") is None


def test_tags_are_added_by_default_and_replaced_on_demand():
    added = user_assigned_identity.diff(IDENTITY_ID, IdentitySpec("id-orders", tags={"env": "test"}), identity(), "")
    replaced = user_assigned_identity.diff(
        IDENTITY_ID, IdentitySpec("id-orders", tags={"env": "test"}, append_tags=False), identity(), ""
    )

    assert added.after["tags"] == {"team": "shop", "env": "test"}
    assert replaced.after["tags"] == {"env": "test"}


def test_the_same_region_in_another_spelling_is_no_change():
    assert (
        user_assigned_identity.diff(IDENTITY_ID, IdentitySpec("id-orders", location="West Europe"), identity(), "")
        is None
    )


def test_moving_an_identity_is_refused():
    with pytest.raises(ConfigurationError, match="cannot be moved to 'northeurope'"):
        user_assigned_identity.diff(IDENTITY_ID, IdentitySpec("id-orders", location="northeurope"), identity(), "")


@pytest.mark.parametrize("name", ["ab", "-abc", "a" * 129, "id.orders", "id orders", ""])
def test_identity_names_are_held_to_the_services_rule(name):
    with pytest.raises(ConfigurationError, match="3 to 128"):
        IdentitySpec(name).validate()
