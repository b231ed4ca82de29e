# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.manifests import (
    contains,
    matches,
    shown,
    with_created_label,
)


def service_account(annotations=None, managed=None, labels=None):
    metadata = {"name": "orders", "namespace": "shop", "uid": "1", "resourceVersion": "2"}
    if annotations:
        metadata["annotations"] = annotations
    if labels:
        metadata["labels"] = labels
    if managed is not None:
        metadata["managedFields"] = [{"manager": "aks.virtual_nodes", "operation": "Apply", "fieldsV1": managed}]
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def wish(annotations=None):
    metadata = {"name": "orders", "namespace": "shop"}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def test_what_others_added_does_not_matter():
    assert matches(wish({"a": "1"}), service_account({"a": "1", "somebody": "else"}))


def test_a_different_value_matters():
    assert not matches(wish({"a": "1"}), service_account({"a": "2"}))


def test_a_field_that_we_set_and_no_longer_name_matters():
    owned = {"f:metadata": {"f:annotations": {"f:a": {}, "f:old": {}}}}

    assert not matches(wish({"a": "1"}), service_account({"a": "1", "old": "x"}, managed=owned))


def test_a_field_that_somebody_else_set_and_we_do_not_name_does_not_matter():
    observed = service_account({"a": "1", "old": "x"})
    observed["metadata"]["managedFields"] = [
        {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:annotations": {"f:old": {}}}}}
    ]

    assert matches(wish({"a": "1"}), observed)


@pytest.mark.parametrize(
    ("owned", "expected"),
    [
        ({"f:containers": {'k:{"name":"app"}': {".": {}, "f:name": {}, "f:image": {}}}}, True),
        (
            {
                "f:containers": {
                    'k:{"name":"app"}': {
                        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {"f:containerPort": {}}}
                    }
                }
            },
            True,
        ),
        ({"f:containers": {'k:{"name":"sidecar"}': {".": {}, "f:name": {}}}}, False),
        ({"f:containers": {'k:{"name":"app"}': {"f:env": {'k:{"name":"GONE"}': {".": {}}}}}}, False),
        ({"f:finalizers": {'v:"keep"': {}}}, True),
        ({"f:finalizers": {'v:"gone"': {}}}, False),
    ],
)
def test_owned_list_items_are_followed_by_their_keys(owned, expected):
    spec = {
        "containers": [{"name": "app", "image": "x", "ports": [{"containerPort": 80}], "env": []}],
        "finalizers": ["keep"],
    }
    observed = {
        **spec,
        "metadata": {"managedFields": [{"manager": "aks.virtual_nodes", "operation": "Apply", "fieldsV1": owned}]},
    }

    assert matches(spec, observed) is expected


@pytest.mark.parametrize(
    ("observed", "wished", "expected"),
    [
        ({"replicas": 1}, {"replicas": 1}, True),
        ({"replicas": 1}, {"replicas": True}, False),
        ({"items": [{"name": "a", "defaulted": "x"}]}, {"items": [{"name": "a"}]}, True),
        ({"items": [{"name": "a"}, {"name": "b"}]}, {"items": [{"name": "a"}]}, False),
        ({}, {"gone": None}, True),
        ({"gone": 1}, {"gone": None}, False),
    ],
)
def test_containment(observed, wished, expected):
    assert contains(observed, wished) is expected


def test_secrets_are_not_shown():
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"password": "aHVudGVyMg=="}}

    assert "aHVudGVyMg" not in str(shown(secret))


def test_new_objects_get_the_label_of_our_creations_and_existing_ones_do_not():
    assert with_created_label(wish(), None)["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "aks.virtual_nodes"
    }
    assert with_created_label(wish(), service_account()) == wish()


def test_the_label_is_kept_on_what_we_created():
    ours = service_account(labels={"app.kubernetes.io/managed-by": "aks.virtual_nodes"})

    assert "labels" in with_created_label(wish(), ours)["metadata"]
