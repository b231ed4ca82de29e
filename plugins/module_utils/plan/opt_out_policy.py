# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Admission policies that hold pods for virtual nodes to the opt-out of kube-proxy; pure.

Their rules are in CEL, as Kubernetes 1.30 and later evaluate it. C(dyn()) keeps the server's type checker from wanting each expression to fit
every kind that is matched: what a CronJob has, a Pod has not. Every optional field is asked for before it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..kube.objects import Manifest
from .workload_manifests import CCE_POLICY, DNS, KUBE_PROXY

API_VERSION = "admissionregistration.k8s.io/v1"
PROVIDER_TAINT = "virtual-kubelet.io/provider"
NODE_LABEL, NODE_LABEL_VALUE = "virtualization", "virtualnode2"

# The API server keeps it on every namespace.
_NAMESPACE_NAME = "kubernetes.io/metadata.name"

# A pod is judged once, when it is made; what makes pods, whenever its template changes.
_RULES = (
    ("", ("pods",), ("CREATE",)),
    ("apps", ("deployments", "replicasets", "statefulsets"), ("CREATE", "UPDATE")),
    ("batch", ("jobs", "cronjobs"), ("CREATE", "UPDATE")),
)


@dataclass(frozen=True)
class OptOutPolicy:
    """
    :ivar name: of the policies and their bindings.
    :ivar node_names: of the virtual nodes without their numbers: of C(virtualnode-0), C(virtualnode). A pod that names its node needs no selector.
    :ivar namespaces: names of those that are judged; all unless given.
    :ivar exempt_label: a label of namespaces and its value, whose pods are left alone.
    :ivar exempt_namespaces: namespaces that are left alone, by their names.
    :ivar actions: C(Deny), C(Warn), C(Audit); a policy that denies does not warn as well.
    :ivar completing: API version of the policy that adds the annotations by itself; empty for none.
    """

    name: str
    node_names: Sequence[str] = ()
    namespaces: Sequence[str] = ()
    exempt_label: tuple[str, str] = ("aks-virtual-nodes/opt-out-policy", "exempt")
    exempt_namespaces: Sequence[str] = ("kube-system",)
    actions: Sequence[str] = ("Deny",)
    completing: str = ""

    def manifests(self) -> list[Manifest]:
        """The policy that refuses and its binding; before them, if wanted, the one that completes and its binding."""
        made = self._completing() if self.completing else []
        return [*made, *self._refusing()]

    def _refusing(self) -> list[Manifest]:
        spec = {
            "failurePolicy": "Fail",
            "matchConstraints": _match_constraints(),
            "variables": self._variables(),
            "validations": [
                {
                    "expression": "!variables.bound || variables.confidential || variables.optedOut || variables.unchanged",
                    "messageExpression": self._message(),
                    "reason": "Invalid",
                }
            ],
        }
        binding = {"policyName": self.name, "validationActions": list(self.actions), "matchResources": self._scope()}
        return [
            _object(API_VERSION, "ValidatingAdmissionPolicy", self.name, spec),
            _object(API_VERSION, "ValidatingAdmissionPolicyBinding", self.name, binding),
        ]

    def _completing(self) -> list[Manifest]:
        name = f"{self.name}-completion"
        spec = {
            # What it leaves undone, the other policy refuses.
            "failurePolicy": "Ignore",
            "reinvocationPolicy": "IfNeeded",
            "matchConstraints": _match_constraints(),
            "variables": self._variables(),
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": _COMPLETION}}],
        }
        binding = {"policyName": name, "matchResources": self._scope()}
        return [
            _object(self.completing, "MutatingAdmissionPolicy", name, spec),
            _object(self.completing, "MutatingAdmissionPolicyBinding", name, binding),
        ]

    def _scope(self) -> Manifest:
        label, value = self.exempt_label
        wanted = [
            {"key": _NAMESPACE_NAME, "operator": "In", "values": list(self.namespaces)},
            {"key": _NAMESPACE_NAME, "operator": "NotIn", "values": list(self.exempt_namespaces)},
            {"key": label, "operator": "NotIn", "values": [value]},
        ]
        return {"namespaceSelector": {"matchExpressions": [each for each in wanted if each["values"]]}}

    def _variables(self) -> list[Manifest]:
        expressions = {
            "template": _template("object"),
            "spec": "has(variables.template.spec) ? variables.template.spec : {}",
            "annotations": (
                "has(variables.template.metadata) && has(variables.template.metadata.annotations) "
                "? variables.template.metadata.annotations : {}"
            ),
            "selected": _SELECTED,
            "tolerated": _TOLERATED,
            "named": self._named(),
            "bound": "variables.named || (variables.selected && variables.tolerated)",
            "confidential": f"'{CCE_POLICY}' in variables.annotations && variables.annotations['{CCE_POLICY}'] != ''",
            "stated": f"'{KUBE_PROXY}' in variables.annotations",
            "optedOut": f"variables.stated && variables.annotations['{KUBE_PROXY}'] == 'false'",
            "unchanged": f"request.operation == 'UPDATE' && variables.template == ({_template('oldObject')})",
            "path": _by_kind("''", "'spec.jobTemplate.spec.template.'", "'spec.template.'"),
        }
        return [{"name": name, "expression": expression} for name, expression in expressions.items()]

    def _named(self) -> str:
        """Whether the pod is put on a virtual node past the scheduler."""
        if not self.node_names:
            return "false"
        names = "|".join(name.replace(".", "[.]") for name in self.node_names)
        return f"has(variables.spec.nodeName) && variables.spec.nodeName.matches('^({names})-[0-9]+$')"

    def _message(self) -> str:
        label, value = self.exempt_label
        return (
            "'pods on virtual nodes must leave out kube-proxy, because each one holds two watches on the API server: add "
            f'{KUBE_PROXY}: "false" and {DNS}: "false" to \' + variables.path + \'metadata.annotations, or exempt the namespace with the '
            f"label {label}={value}'"
        )


def _object(api_version: str, kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _match_constraints() -> Manifest:
    rules = [
        {
            "apiGroups": [group],
            "apiVersions": ["v1"],
            "operations": list(operations),
            "resources": list(resources),
            "scope": "Namespaced",
        }
        for group, resources, operations in _RULES
    ]
    return {"matchPolicy": "Equivalent", "resourceRules": rules}


def _by_kind(of_pod: str, of_cron_job: str, of_others: str) -> str:
    return f"request.kind.kind == 'Pod' ? {of_pod} : request.kind.kind == 'CronJob' ? {of_cron_job} : {of_others}"


def _template(holder: str) -> str:
    """The pod itself, or the template that pods are made from."""
    whole = f"dyn({holder})"
    return _by_kind(whole, f"{whole}.spec.jobTemplate.spec.template", f"{whole}.spec.template")


_WANTED = "requiredDuringSchedulingIgnoredDuringExecution"
_NODE_AFFINITY = "variables.spec.affinity.nodeAffinity"
_SELECTED = (
    f"(has(variables.spec.nodeSelector) && '{NODE_LABEL}' in variables.spec.nodeSelector "
    f"&& variables.spec.nodeSelector['{NODE_LABEL}'] == '{NODE_LABEL_VALUE}') "
    f"|| (has(variables.spec.affinity) && has({_NODE_AFFINITY}) && has({_NODE_AFFINITY}.{_WANTED}) "
    f"&& {_NODE_AFFINITY}.{_WANTED}.nodeSelectorTerms.exists(term, has(term.matchExpressions) && term.matchExpressions.exists(each, "
    f"each.key == '{NODE_LABEL}' && each.operator == 'In' && '{NODE_LABEL_VALUE}' in each.values)))"
)
# A toleration without a key tolerates every taint.
_TOLERATED = (
    "has(variables.spec.tolerations) && variables.spec.tolerations.exists(each, "
    f"has(each.key) && each.key != '' ? each.key == '{PROVIDER_TAINT}' : has(each.operator) && each.operator == 'Exists')"
)


_POINTER = _by_kind("''", "'/spec/jobTemplate/spec/template'", "'/spec/template'")


def _added(path: str, value: str) -> str:
    return f"[JSONPatch{{op: 'add', path: ({_POINTER}) + {path}, value: {value}}}]"


def _annotation(name: str) -> str:
    return _added(f"'/metadata/annotations/' + jsonpatch.escapeKey('{name}')", "'false'")


_NO_METADATA = _added("'/metadata'", "{}")
_NO_ANNOTATIONS = _added("'/metadata/annotations'", "{}")
_COMPLETION = (
    "!variables.bound || variables.confidential || variables.stated || variables.unchanged ? [] : "
    f"(has(variables.template.metadata) ? [] : {_NO_METADATA}) "
    f"+ (has(variables.template.metadata) && has(variables.template.metadata.annotations) ? [] : {_NO_ANNOTATIONS}) "
    f"+ {_annotation(KUBE_PROXY)} "
    f"+ ('{DNS}' in variables.annotations ? [] : {_annotation(DNS)})"
)
