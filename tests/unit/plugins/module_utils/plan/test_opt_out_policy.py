# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the policies cover. What their expressions say is judged by the lab's API server (tests/integration/end_to_end)."""

from __future__ import annotations

from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.opt_out_policy import OptOutPolicy


def by_kind(policy):
    return {each["kind"]: each["spec"] for each in policy.manifests()}


def selector(policy):
    resources = by_kind(policy)["ValidatingAdmissionPolicyBinding"]["matchResources"]
    return [
        (each["key"], each["operator"], each["values"]) for each in resources["namespaceSelector"]["matchExpressions"]
    ]


def test_every_kind_that_makes_pods_for_virtual_nodes_is_matched_and_pods_when_they_are_made():
    constraints = by_kind(OptOutPolicy("p"))["ValidatingAdmissionPolicy"]["matchConstraints"]
    matched = {name: rule["operations"] for rule in constraints["resourceRules"] for name in rule["resources"]}

    always = ["CREATE", "UPDATE"]
    makers = ("deployments", "replicasets", "statefulsets", "jobs", "cronjobs")
    assert matched == {"pods": ["CREATE"], **dict.fromkeys(makers, always)}


def test_all_namespaces_are_judged_but_the_exempt_ones():
    policy = OptOutPolicy("p", exempt_label=("a/b", "c"), exempt_namespaces=["kube-system", "vn2"])

    assert selector(policy) == [
        ("kubernetes.io/metadata.name", "NotIn", ["kube-system", "vn2"]),
        ("a/b", "NotIn", ["c"]),
    ]


def test_some_namespaces_may_be_judged_alone():
    policy = OptOutPolicy("p", namespaces=["shop"], exempt_namespaces=[])

    assert selector(policy)[0] == ("kubernetes.io/metadata.name", "In", ["shop"])
    assert len(selector(policy)) == 2


def test_the_policy_that_completes_is_there_only_if_asked_for_and_comes_first():
    plain, both = OptOutPolicy("p").manifests(), OptOutPolicy("p", completing="x/v1").manifests()

    assert [each["kind"] for each in plain] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    assert [each["metadata"]["name"] for each in both] == ["p-completion", "p-completion", "p", "p"]
    assert {each["apiVersion"] for each in both[:2]} == {"x/v1"}


def test_names_of_nodes_are_taken_literally():
    variables = by_kind(OptOutPolicy("p", node_names=["vn.a", "vn-b"]))["ValidatingAdmissionPolicy"]["variables"]
    named = next(each["expression"] for each in variables if each["name"] == "named")

    assert "'^(vn[.]a|vn-b)-[0-9]+$'" in named
