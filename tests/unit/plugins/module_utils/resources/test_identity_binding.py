# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import UNKNOWN, Action
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import AzureError, ConfigurationError, NotReady
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources import identity_binding
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.identity_binding import diff
from ansible_collections.aks.virtual_nodes.plugins.module_utils.waiting import Deadline

GROUP = "/subscriptions/s/resourceGroups/g/providers"
CLUSTER_ID = f"{GROUP}/Microsoft.ContainerService/managedClusters/aks"
CLUSTER = {"id": CLUSTER_ID, "name": "aks", "resource_group": "g", "workload_identity_enabled": True}
ORDERS = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/id-orders"
BILLING = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/id-billing"


def binding(name="orders", identity_id=ORDERS, state="Succeeded"):
    return {
        "id": f"{CLUSTER_ID}/identityBindings/{name}",
        "name": name,
        "identity_id": identity_id,
        "client_id": "1",
        "oidc_issuer_url": "https://issuer",
        "provisioning_state": state,
    }


def test_a_new_binding_has_an_issuer_only_afterwards():
    change = diff(CLUSTER, [binding("billing", BILLING)], "orders", ORDERS)

    assert (change.action, change.resource_id) == (Action.CREATE, f"{CLUSTER_ID}/identityBindings/orders")
    assert (change.after["identity_id"], change.after["oidc_issuer_url"]) == (ORDERS, UNKNOWN)


def test_ids_and_names_in_other_case_are_the_same_binding():
    observed = binding(identity_id=ORDERS.lower().replace("resourcegroups", "resourceGroups"))

    assert diff(CLUSTER, [observed], "Orders", ORDERS.upper()) is None


def test_a_second_binding_of_the_identity_is_refused_with_the_name_of_the_first():
    with pytest.raises(ConfigurationError, match=r"by binding 'first'.*Set name: first"):
        diff(CLUSTER, [binding("first")], "orders", ORDERS)


def test_the_identity_of_a_binding_cannot_be_exchanged_and_the_refusal_says_what_can():
    with pytest.raises(ConfigurationError, match=r"id-orders.*another name.*state: absent"):
        diff(CLUSTER, [binding()], "orders", BILLING)


@pytest.mark.parametrize("state", ["Failed", "Canceled"])
def test_a_binding_that_failed_is_written_again(state):
    change = diff(CLUSTER, [binding(state=state)], "orders", ORDERS)

    assert (change.action, change.after["provisioning_state"]) == (Action.UPDATE, "Succeeded")


def test_a_binding_that_is_being_made_needs_no_change():
    assert diff(CLUSTER, [binding(state="Creating")], "orders", ORDERS) is None


def test_a_binding_that_is_being_deleted_stands_in_nobodys_way():
    assert diff(CLUSTER, [binding("orders", BILLING, "Deleting")], "orders", ORDERS).action is Action.CREATE
    assert diff(CLUSTER, [binding("first", ORDERS, "Deleting")], "orders", ORDERS).action is Action.CREATE


def test_a_cluster_without_workload_identity_is_refused_with_what_helps():
    identity_binding.refuse_without_workload_identity(CLUSTER)
    with pytest.raises(ConfigurationError, match="workload_identity: true"):
        identity_binding.refuse_without_workload_identity({**CLUSTER, "workload_identity_enabled": False})


class Session:
    """
    :param answers: what looking a resource up gives, one after the other.
    """

    subscription_id = "s"

    def __init__(self, *answers):
        self.answers = list(answers)

    def get(self, path, *, api_version):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_an_identity_is_given_by_name_or_by_id():
    elsewhere = ORDERS.replace("/subscriptions/s/", "/subscriptions/t/")

    assert identity_binding.identity_id_of(Session(), "id-orders", "g") == ORDERS
    assert identity_binding.identity_id_of(Session(), f"{elsewhere}/", "g") == elsewhere


@pytest.mark.parametrize("wrong", ["x", "/subscriptions/s/id-orders", CLUSTER_ID])
def test_what_is_neither_name_nor_id_of_an_identity_is_refused(wrong):
    with pytest.raises(ConfigurationError):
        identity_binding.identity_id_of(Session(), wrong, "g")


def test_an_identity_that_does_not_exist_has_no_client_id():
    assert identity_binding.client_id_of(Session({"properties": {"clientId": "1"}}), ORDERS) == "1"
    for code in ("ResourceNotFound", "ResourceGroupNotFound"):
        assert identity_binding.client_id_of(Session(AzureError("no", code=code, status=404)), ORDERS) is None
    with pytest.raises(AzureError):
        identity_binding.client_id_of(Session(AzureError("no", code="AuthorizationFailed", status=403)), ORDERS)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def settle(monkeypatch, *states):
    """What waiting for a binding gives that is seen in these states, and how long it takes."""
    seen = list(states)
    monkeypatch.setattr(identity_binding, "read", lambda *_names: seen.pop(0) if len(seen) > 1 else seen[0])
    clock = Clock()
    found = identity_binding.wait_until_settled(None, "g", "aks", "orders", Deadline(60, clock, clock.sleep))
    return found, clock.now


def test_an_operation_of_somebody_else_is_waited_for(monkeypatch):
    made, seconds = settle(monkeypatch, binding(state="Creating"), binding(state="Creating"), binding())

    assert (made["provisioning_state"], seconds) == ("Succeeded", 2 * identity_binding.POLL_S)
    assert settle(monkeypatch, binding(state="Deleting"), None)[0] is None


def test_waiting_ends_with_what_was_last_seen(monkeypatch):
    with pytest.raises(NotReady, match="'Creating' after 60 s"):
        settle(monkeypatch, binding(state="Creating"))
