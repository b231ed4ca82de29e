# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply and field owners behave as on a real API server."""

from __future__ import annotations

import copy
import json

import pytest

from lab.kubernetes import field_sets
from lab.kubernetes.errors import StatusError
from lab.kubernetes.managed_fields import LAST_APPLIED, apply, track_update
from lab.kubernetes.registry import CONFIG_MAP, DEPLOYMENT, POD, SERVICE, SERVICE_ACCOUNT
from lab.kubernetes.store import Object

T1, T2, T3 = (f"2026-01-01T00:00:0{second}Z" for second in (1, 2, 3))


def config_map(annotations: dict[str, str] | None = None, **data: str) -> Object:
    metadata = {"name": "settings", "namespace": "default", **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **({"data": data} if data else {})}


def pod(**spec: object) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": spec}


def container(name: str = "app", **fields: object) -> Object:
    return {"name": name, "image": "image:1", **fields}


def deployment(**spec: object) -> Object:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container()]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def entry(item: Object, manager: str, operation: str = "Apply") -> Object:
    entries = item["metadata"]["managedFields"]
    return next(each for each in entries if (each["manager"], each["operation"]) == (manager, operation))


def managers(item: Object) -> list[tuple[str, str]]:
    return [(each["manager"], each["operation"]) for each in item["metadata"].get("managedFields", [])]


def refused(*args: object) -> dict:
    with pytest.raises(StatusError) as caught:
        apply(*args)
    return caught.value.body


# Creation


def test_creation_by_apply():
    applied = config_map({"note": "x"}, key="1")
    created = apply(CONFIG_MAP, None, applied, "ansible", False, T1)
    assert created["metadata"]["managedFields"] == [
        {
            "manager": "ansible",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": T1,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:key": {}}, "f:metadata": {"f:annotations": {"f:note": {}}}},
        }
    ]
    assert created["data"] == {"key": "1"}
    assert "managedFields" not in applied["metadata"]


def test_creation_by_create_marks_inner_maps():
    fields = entry(
        track_update(CONFIG_MAP, None, config_map({"note": "x"}, key="1"), "kubectl-create", T1),
        "kubectl-create",
        "Update",
    )
    assert fields["fieldsV1"] == {
        "f:data": {".": {}, "f:key": {}},
        "f:metadata": {"f:annotations": {".": {}, "f:note": {}}},
    }


def test_creation_of_a_deployment_owns_what_a_real_server_says():
    given = deployment(replicas=1, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}})
    created = track_update(DEPLOYMENT, None, given, "kubectl-create", T1)
    assert created["metadata"]["managedFields"][0]["fieldsV1"] == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {'k:{"name":"app"}': {".": {}, "f:image": {}, "f:name": {}, "f:resources": {}}}
                },
            },
        }
    }


def test_resources_are_owned_by_quantity():
    resources = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
    created = apply(POD, None, pod(containers=[container(resources=resources)]), "ansible", False, T1)
    fields = entry(created, "ansible")["fieldsV1"]["f:spec"]["f:containers"]['k:{"name":"app"}']["f:resources"]
    assert fields == {"f:limits": {"f:memory": {}}, "f:requests": {"f:cpu": {}}}


# Apply again


def test_apply_without_change_returns_an_equal_object():
    for kind, given in ((CONFIG_MAP, config_map({"note": "x"}, key="1")), (DEPLOYMENT, deployment(replicas=1))):
        live = apply(kind, None, given, "ansible", False, T1)
        live["metadata"] |= {"uid": "u", "resourceVersion": "7", "creationTimestamp": T1, "generation": 1}
        assert apply(kind, live, given, "ansible", False, T2) == live
        # Nor with what a client got before, nor forced.
        read = copy.deepcopy(live)
        del read["metadata"]["managedFields"]
        assert apply(kind, live, read, "ansible", True, T2) == live


def test_live_object_and_applied_body_are_not_changed():
    live = apply(CONFIG_MAP, None, config_map(a="1"), "ansible", False, T1)
    before, applied = copy.deepcopy(live), config_map(a="2")
    apply(CONFIG_MAP, live, applied, "ansible", False, T2)
    assert live == before
    assert applied == config_map(a="2")


def test_drift_is_refused_and_corrected_with_force():
    live = apply(CONFIG_MAP, None, config_map(a="1", b="1"), "ansible", False, T1)
    drifted = track_update(CONFIG_MAP, live, {**live, "data": {"a": "other", "b": "1"}}, "kubectl-edit", T2)
    assert entry(drifted, "kubectl-edit", "Update")["fieldsV1"] == {"f:data": {"f:a": {}}}
    assert entry(drifted, "ansible") == {**entry(live, "ansible"), "fieldsV1": {"f:data": {"f:b": {}}}}

    body = refused(CONFIG_MAP, drifted, config_map(a="1", b="1"), "ansible", False, T3)
    assert body["code"] == 409
    corrected = apply(CONFIG_MAP, drifted, config_map(a="1", b="1"), "ansible", True, T3)
    assert corrected["data"] == {"a": "1", "b": "1"}
    assert managers(corrected) == [("ansible", "Apply")]
    assert entry(corrected, "ansible")["time"] == T3


def test_dropped_fields_are_removed():
    live = apply(CONFIG_MAP, None, config_map({"note": "x"}, a="1", b="1"), "ansible", False, T1)
    changed = apply(CONFIG_MAP, live, config_map(a="1"), "ansible", False, T2)
    assert changed["data"] == {"a": "1"}
    assert "annotations" not in changed["metadata"]
    assert changed["metadata"]["name"] == "settings"
    assert entry(changed, "ansible")["fieldsV1"] == {"f:data": {"f:a": {}}}


def test_dropped_field_that_another_manager_owns_stays():
    live = apply(CONFIG_MAP, None, config_map(a="1", b="1"), "ansible", False, T1)
    shared = apply(CONFIG_MAP, live, config_map(b="1"), "other", False, T2)
    changed = apply(CONFIG_MAP, shared, config_map(a="1"), "ansible", False, T3)
    assert changed["data"] == {"a": "1", "b": "1"}
    assert entry(changed, "other")["fieldsV1"] == {"f:data": {"f:b": {}}}


def test_dropped_struct_goes_with_its_defaults():
    probe = {"httpGet": {"path": "/", "port": 80}}
    live = apply(POD, None, pod(containers=[container(livenessProbe=probe)]), "ansible", False, T1)
    live["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] = 10
    live["spec"]["restartPolicy"] = "Always"
    changed = apply(POD, live, pod(containers=[container()]), "ansible", False, T2)
    assert changed["spec"] == {"containers": [container()], "restartPolicy": "Always"}


def test_same_value_is_shared_without_conflict():
    live = track_update(CONFIG_MAP, None, config_map(a="1"), "kubectl-create", T1)
    shared = apply(CONFIG_MAP, live, config_map(a="1"), "ansible", False, T2)
    assert managers(shared) == [("ansible", "Apply"), ("kubectl-create", "Update")]
    assert entry(shared, "ansible")["time"] == T2
    assert entry(shared, "kubectl-create", "Update") == entry(live, "kubectl-create", "Update")
    assert refused(CONFIG_MAP, shared, config_map(a="2"), "ansible", False, T3)["reason"] == "Conflict"


def test_apply_on_an_object_without_managed_fields():
    live = config_map(a="1")
    body = refused(CONFIG_MAP, live, config_map(a="2"), "ansible", False, T1)
    assert body["message"] == 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a'
    forced = apply(CONFIG_MAP, live, config_map(a="2"), "ansible", True, T1)
    assert managers(forced) == [("ansible", "Apply"), ("before-first-apply", "Update")]


# Conflicts


def test_message_of_one_conflict():
    live = track_update(CONFIG_MAP, None, config_map({"x": "1"}), "kubectl-create", T1)
    body = refused(CONFIG_MAP, live, config_map({"x": "2"}), "ansible", False, T2)
    conflict = 'conflict with "kubectl-create" using v1'
    assert body["message"] == f"Apply failed with 1 conflict: {conflict}: .metadata.annotations.x"
    assert (body["code"], body["reason"], body["status"]) == (409, "Conflict", "Failure")
    assert body["details"] == {
        "causes": [{"reason": "FieldManagerConflict", "message": conflict, "field": ".metadata.annotations.x"}]
    }


def test_message_of_several_conflicts_is_grouped_by_manager():
    live = track_update(POD, None, pod(containers=[container()], hostNetwork=True), "kubectl-create", T1)
    live = apply(POD, live, pod(priority=1), "other", False, T2)
    wanted = pod(containers=[container(image="image:2")], hostNetwork=False, priority=2)
    body = refused(POD, live, wanted, "ansible", False, T3)
    assert body["message"].splitlines() == [
        'Apply failed with 3 conflicts: conflicts with "kubectl-create" using v1:',
        "- .spec.hostNetwork",
        '- .spec.containers[name="app"].image',
        'conflicts with "other":',
        "- .spec.priority",
    ]
    assert len(body["details"]["causes"]) == 3


def test_conflict_with_a_subresource():
    live = apply(DEPLOYMENT, None, deployment(replicas=1), "ansible", False, T1)
    scaled = track_update(DEPLOYMENT, live, deployment(replicas=3), "kubectl", T2, "scale")
    assert entry(scaled, "kubectl", "Update") == {
        "manager": "kubectl",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "time": T2,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
        "subresource": "scale",
    }
    body = refused(DEPLOYMENT, scaled, deployment(replicas=1), "ansible", False, T3)
    assert body["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
    )


def test_what_cannot_be_applied():
    body = refused(CONFIG_MAP, None, {"metadata": {"name": "a", "managedFields": [{}]}}, "ansible", False, T1)
    assert (body["code"], body["message"]) == (400, "metadata.managedFields must be nil")
    twice = pod(containers=[container(env=[{"name": "A"}, {"name": "A"}])])
    assert refused(POD, None, twice, "ansible", False, T1)["message"] == (
        "failed to create typed patch object (default/p; /v1, Kind=Pod): "
        '.spec.containers[name="app"].env: duplicate entries for key [name="A"]'
    )
    unnamed = refused(POD, None, pod(containers=[{"image": "a"}]), "ansible", False, T1)
    assert 'element that omits key field "name"' in unnamed["message"]


# Lists and maps


def test_environment_is_merged_by_name():
    one, two, three = ({"name": name, "value": "1"} for name in ("ONE", "TWO", "THREE"))
    live = apply(POD, None, pod(containers=[container(env=[one, two])]), "ansible", False, T1)
    both = apply(POD, live, pod(containers=[{"name": "app", "env": [three]}]), "other", False, T2)
    assert both["spec"]["containers"] == [container(env=[one, two, three])]
    fewer = apply(POD, both, pod(containers=[container(env=[two])]), "ansible", False, T3)
    assert fewer["spec"]["containers"] == [container(env=[two, three])]
    assert apply(POD, fewer, pod(containers=[container(env=[two])]), "ansible", False, T3) == fewer


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        ("abc", "abc", "abc"),
        ("abc", "x", "abcx"),
        ("abc", "ca", "bca"),
        ("abc", "xb", "axbc"),
        ("", "ba", "ba"),
        ("ab", "bax", "bax"),
    ],
)
def test_order_of_merged_lists(live: str, applied: str, merged: str):
    def items(names: str) -> Object:
        return {"spec": {"containers": [{"name": name} for name in names]}}

    result = field_sets.merge(items(live), items(applied), field_sets.shape_of(POD))
    assert "".join(each["name"] for each in result["spec"]["containers"]) == merged


def test_container_ports_are_known_with_the_default_protocol():
    live = apply(POD, None, pod(containers=[container(ports=[{"containerPort": 80}])]), "ansible", False, T1)
    ports = entry(live, "ansible")["fieldsV1"]["f:spec"]["f:containers"]['k:{"name":"app"}']["f:ports"]
    assert ports == {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}
    live["spec"]["containers"][0]["ports"][0]["protocol"] = "TCP"
    named = [{"containerPort": 80, "name": "http"}, {"containerPort": 80, "protocol": "UDP"}]
    changed = apply(POD, live, pod(containers=[container(ports=named)]), "ansible", False, T2)
    assert changed["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "protocol": "TCP", "name": "http"},
        {"containerPort": 80, "protocol": "UDP"},
    ]


def test_service_ports_and_selector():
    def service(selector: dict[str, str], *ports: int) -> Object:
        spec = {"selector": selector, "ports": [{"port": port} for port in ports]}
        return {"metadata": {"name": "s", "namespace": "default"}, "spec": spec}

    live = apply(SERVICE, None, service({"app": "a", "tier": "b"}, 80, 443), "ansible", False, T1)
    spec = entry(live, "ansible")["fieldsV1"]["f:spec"]
    assert spec["f:selector"] == {}
    assert list(spec["f:ports"]) == ['k:{"port":443,"protocol":"TCP"}', 'k:{"port":80,"protocol":"TCP"}']
    changed = apply(SERVICE, live, service({"app": "a"}, 443), "ansible", False, T2)
    assert changed["spec"] == {"selector": {"app": "a"}, "ports": [{"port": 443}]}


def test_finalizers_are_a_set():
    def with_finalizers(*finalizers: str) -> Object:
        return {"metadata": {"name": "settings", "namespace": "default", "finalizers": list(finalizers)}}

    live = apply(CONFIG_MAP, None, with_finalizers("a/x"), "ansible", False, T1)
    both = apply(CONFIG_MAP, live, with_finalizers("b/y"), "other", False, T2)
    assert both["metadata"]["finalizers"] == ["a/x", "b/y"]
    assert entry(both, "other")["fieldsV1"] == {"f:metadata": {"f:finalizers": {'v:"b/y"': {}}}}
    gone = apply(CONFIG_MAP, both, config_map(), "ansible", False, T3)
    assert gone["metadata"]["finalizers"] == ["b/y"]
    assert managers(gone) == [("other", "Apply")]


def test_owner_references_are_atomic_items():
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1-2"}
    given = config_map()
    given["metadata"]["ownerReferences"] = [reference]
    created = track_update(CONFIG_MAP, None, given, "controller", T1)
    assert entry(created, "controller", "Update")["fieldsV1"] == {
        "f:metadata": {"f:ownerReferences": {".": {}, 'k:{"uid":"1-2"}': {}}}
    }


def test_node_selector_and_tolerations_are_atomic():
    first = pod(nodeSelector={"a": "1", "b": "2"}, tolerations=[{"key": "x"}, {"key": "y"}])
    live = apply(POD, None, first, "ansible", False, T1)
    assert entry(live, "ansible")["fieldsV1"] == {"f:spec": {"f:nodeSelector": {}, "f:tolerations": {}}}
    second = pod(nodeSelector={"c": "3"}, tolerations=[{"key": "z"}])
    assert apply(POD, live, second, "ansible", False, T2)["spec"] == second["spec"]
    assert "2 conflicts" in refused(POD, live, second, "other", False, T2)["message"]


def test_secrets_of_a_service_account():
    live = apply(SERVICE_ACCOUNT, None, {"metadata": {"name": "a"}, "secrets": [{"name": "s"}]}, "ansible", False, T1)
    assert entry(live, "ansible")["fieldsV1"] == {"f:secrets": {'k:{"name":"s"}': {}}}


# Updates


def test_update_takes_and_removes_fields():
    live = track_update(CONFIG_MAP, None, config_map(a="1", b="1", c="1"), "kubectl-create", T1)
    changed = track_update(CONFIG_MAP, live, config_map(a="1", b="2", d="1"), "kubectl-edit", T2)
    assert entry(changed, "kubectl-create", "Update")["fieldsV1"] == {"f:data": {".": {}, "f:a": {}}}
    assert entry(changed, "kubectl-create", "Update")["time"] == T1
    assert entry(changed, "kubectl-edit", "Update")["fieldsV1"] == {"f:data": {"f:b": {}, "f:d": {}}}
    assert track_update(CONFIG_MAP, changed, changed, "kubectl-edit", T3) == changed


def test_status_is_tracked_by_its_subresource():
    live = track_update(DEPLOYMENT, None, {**deployment(), "status": {"replicas": 1}}, "kubectl-create", T1)
    assert "f:status" not in entry(live, "kubectl-create", "Update")["fieldsV1"]
    condition = {"type": "Available", "status": "True"}
    changed = track_update(
        DEPLOYMENT, live, {**live, "status": {"conditions": [condition]}}, "controller", T2, "status"
    )
    updated = entry(changed, "controller", "Update")
    assert updated["subresource"] == "status"
    available = {'k:{"type":"Available"}': {".": {}, "f:status": {}, "f:type": {}}}
    assert updated["fieldsV1"] == {"f:status": {"f:conditions": {".": {}, **available}}}
    assert apply(DEPLOYMENT, changed, {**deployment(), "status": {}}, "ansible", False, T3)["status"] == {
        "conditions": [condition]
    }


def test_clients_may_write_managed_fields():
    live = apply(CONFIG_MAP, None, config_map(a="1"), "ansible", False, T1)
    renamed = copy.deepcopy(live)
    renamed["metadata"]["managedFields"][0]["manager"] = "other"
    assert managers(track_update(CONFIG_MAP, live, renamed, "kubectl", T2)) == [("other", "Apply")]
    for forgotten in ([], [{}]):
        renamed["metadata"]["managedFields"] = forgotten
        assert managers(track_update(CONFIG_MAP, live, renamed, "kubectl", T2)) == []


def test_nulls_are_nothing():
    given = {**config_map(a="1"), "binaryData": None}
    given["metadata"] |= {"creationTimestamp": None, "labels": None}
    created = apply(CONFIG_MAP, None, given, "ansible", False, T1)
    assert entry(created, "ansible")["fieldsV1"] == {"f:data": {"f:a": {}}}
    assert created["metadata"].keys() == {"name", "namespace", "managedFields"}
    tracked = track_update(CONFIG_MAP, None, given, "kubectl", T1)
    assert entry(tracked, "kubectl", "Update")["fieldsV1"] == {"f:data": {".": {}, "f:a": {}}}


def test_empty_lists_and_maps_are_no_change_the_second_time():
    given = pod(containers=[container(env=[])], tolerations=[])
    given["metadata"] |= {"labels": {}, "annotations": {}}
    created = apply(POD, None, given, "ansible", False, T1)
    assert created["spec"] == {"containers": [container()]}
    assert apply(POD, created, given, "ansible", False, T2) == created


def test_empty_atomic_list_replaces():
    live = apply(POD, None, pod(priority=1, tolerations=[{"key": "x"}]), "ansible", False, T1)
    assert apply(POD, live, pod(priority=1, tolerations=[]), "ansible", False, T2)["spec"] == {"priority": 1}


def test_kubectl_takes_over_from_client_side_apply():
    last = config_map(a="1")
    live = config_map({LAST_APPLIED: json.dumps(last)}, a="1")
    live = track_update(CONFIG_MAP, None, live, "kubectl-client-side-apply", T1)
    assert refused(CONFIG_MAP, live, config_map(a="2"), "ansible", False, T2)["code"] == 409
    changed = apply(CONFIG_MAP, live, config_map(a="2"), "kubectl", False, T2)
    assert changed["data"] == {"a": "2"}
    assert json.loads(changed["metadata"]["annotations"][LAST_APPLIED]) == config_map(a="2")


# FieldsV1


def test_round_trip_of_fields():
    fields = {
        "f:metadata": {"f:annotations": {".": {}, "f:a.b/c": {}}, "f:finalizers": {'v:"x"': {}}},
        "f:spec": {"f:containers": {'k:{"name":"é"}': {".": {}, "f:image": {}}}},
    }
    assert field_sets.encode(field_sets.decode(fields)) == fields
    created = track_update(DEPLOYMENT, None, deployment(replicas=1), "kubectl-create", T1)
    assert json.loads(json.dumps(created)) == created
