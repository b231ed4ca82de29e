# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ValidatingAdmissionPolicy and MutatingAdmissionPolicy, with their bindings (k8s.io/apiserver/pkg/admission/plugin/policy).

Without parameters; of operations, creations and updates; the scale of an object is judged as an update of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lab.kubernetes import errors, patches, registry
from lab.kubernetes.cel_expressions import BOOL, PATCHES, STRING, CelError, Compiler, Program, request_data
from lab.kubernetes.pods import selects
from lab.kubernetes.registry import NAMESPACE, Kind
from lab.kubernetes.store import Object, Store

_POLICY_KINDS = (
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
)
_CODES = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}
# What bindings with the action Warn say to the request under way; None outside of requests.
_WARNINGS: ContextVar[list[str] | None] = ContextVar("warnings of admission policies", default=None)


@dataclass(frozen=True)
class Review:
    """What is asked of the policies."""

    kind: Kind
    item: Object
    old: Object | None
    namespace: Object | None

    @property
    def operation(self) -> str:
        return "CREATE" if self.old is None else "UPDATE"

    @property
    def request(self) -> Object:
        kind, metadata = self.kind, self.item["metadata"]
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        resource = {"group": kind.group, "version": kind.version, "resource": kind.plural}
        return {
            "kind": gvk,
            "requestKind": gvk,
            "resource": resource,
            "requestResource": resource,
            "name": metadata.get("name", ""),
            "namespace": metadata.get("namespace", ""),
            "operation": self.operation,
        }


def begin_request() -> None:
    """Warnings from now on belong to this request."""
    _WARNINGS.set([])


def warnings() -> list[str]:
    return _WARNINGS.get() or []


def mutate(store: Store, kind: Kind, item: Object, old: Object | None) -> Object:
    """The object as the mutating policies leave it; `item` is not changed."""
    version = registry.mutating_policy_kinds()
    if version is None or kind.kind in _POLICY_KINDS:
        return item
    policy_kind, binding_kind = version
    for policy, _binding, review in _applying(store, policy_kind, binding_kind, kind, item, old):
        item = _mutated(policy, Review(kind, item, old, review.namespace))
    return item


def validate(store: Store, kind: Kind, item: Object, old: Object | None) -> None:
    """
    :raises StatusError: when a policy refuses the object, in the API server's words.
    """
    if kind.kind in _POLICY_KINDS:
        _check_policy(kind, item)
        return
    policy_kind, binding_kind = registry.VALIDATING_POLICY, registry.VALIDATING_POLICY_BINDING
    for policy, binding, review in _applying(store, policy_kind, binding_kind, kind, item, old):
        for reason, why in _failures(policy, review):
            _act(review, policy["metadata"]["name"], binding, reason, why)


def _act(review: Review, policy: str, binding: Object, reason: str, why: str) -> None:
    name, actions = binding["metadata"]["name"], binding["spec"].get("validationActions") or []
    if "Warn" in actions and (said := _WARNINGS.get()) is not None:
        said.append(f"Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{name}': {why}")
    if "Deny" in actions:
        message = f"ValidatingAdmissionPolicy '{policy}' with binding '{name}' denied request: {why}"
        refusal = errors.forbidden(review.kind, review.item["metadata"].get("name", ""), message)
        refusal.code = _CODES[reason]
        refusal.body |= {"reason": reason, "code": refusal.code}
        refusal.body["details"]["causes"] = [{"message": message}]
        raise refusal


# Which policies apply


def _applying(
    store: Store, policy_kind: Kind, binding_kind: Kind, kind: Kind, item: Object, old: Object | None
) -> Iterator[tuple[Object, Object, Review]]:
    bindings = store.list(binding_kind)
    if not bindings:
        return
    namespace = store.find(NAMESPACE, "", item["metadata"].get("namespace", "")) if kind.namespaced else None
    review = Review(kind, item, old, namespace)
    for binding in bindings:
        policy = store.find(policy_kind, "", binding["spec"].get("policyName", ""))
        if policy is None or not _matches(policy["spec"].get("matchConstraints") or {}, review, rules_needed=True):
            continue
        if _matches(binding["spec"].get("matchResources") or {}, review, rules_needed=False):
            yield policy, binding, review


def _matches(constraints: Object, review: Review, *, rules_needed: bool) -> bool:
    rules = constraints.get("resourceRules") or []
    if (rules or rules_needed) and not any(_rule_matches(rule, review) for rule in rules):
        return False
    if any(_rule_matches(rule, review) for rule in constraints.get("excludeResourceRules") or []):
        return False
    selector = constraints.get("namespaceSelector")
    if selector and review.namespace is not None and not selects(selector, review.namespace):
        return False
    chosen = constraints.get("objectSelector")
    # Either of the two objects is enough: nobody escapes by taking the label away.
    return not chosen or any(selects(chosen, each) for each in (review.item, review.old) if each is not None)


def _rule_matches(rule: Object, review: Review) -> bool:
    kind, metadata = review.kind, review.item["metadata"]
    scope = {True: "Namespaced", False: "Cluster"}[kind.namespaced]
    names = rule.get("resourceNames") or []
    return (
        _one_of(review.operation, rule.get("operations"))
        and _one_of(kind.group, rule.get("apiGroups"))
        and _one_of(kind.version, rule.get("apiVersions"))
        and any(each in (kind.plural, "*", "*/*") for each in rule.get("resources") or [])
        and rule.get("scope", "*") in ("*", scope)
        and (not names or metadata.get("name") in names)
    )


def _one_of(value: str, given: Iterable[str] | None) -> bool:
    return any(each in (value, "*") for each in given or [])


# What a policy says


@dataclass(frozen=True)
class _Compiled:
    conditions: tuple[Program, ...]
    variables: tuple[tuple[str, Program], ...]
    validations: tuple[tuple[Object, Program, Program | None], ...]
    mutations: tuple[Program, ...]


@lru_cache(maxsize=64)
def _compiled_version(_uid: str, _generation: str, text: _Hashed) -> _Compiled:
    return _compile(text.spec)


@dataclass(frozen=True)
class _Hashed:
    """A specification that does not take part in comparisons: uid and version of the policy stand for it."""

    spec: Any

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed)


def _compiled(policy: Object) -> _Compiled:
    metadata = policy["metadata"]
    return _compiled_version(metadata["uid"], metadata["resourceVersion"], _Hashed(policy["spec"]))


def _compile(spec: Object) -> _Compiled:
    """
    :raises _Wrong: with the field whose expression cannot be compiled.
    """
    compiler = Compiler()
    conditions = [
        _at(f"spec.matchConditions[{place}].expression", compiler, each["expression"], BOOL)
        for place, each in enumerate(spec.get("matchConditions") or [])
    ]
    variables = []
    for place, each in enumerate(spec.get("variables") or []):
        try:
            variables.append((each["name"], compiler.declare(each["name"], each["expression"])))
        except CelError as error:
            raise _Wrong(f"spec.variables[{place}].expression", each["expression"], str(error)) from None
    validations = []
    for place, each in enumerate(spec.get("validations") or []):
        at = f"spec.validations[{place}]"
        check = _at(f"{at}.expression", compiler, each["expression"], BOOL)
        words = each.get("messageExpression")
        validations.append((each, check, _at(f"{at}.messageExpression", compiler, words, STRING) if words else None))
    mutations = [
        _at(f"spec.mutations[{place}].jsonPatch.expression", compiler, each["jsonPatch"]["expression"], PATCHES)
        for place, each in enumerate(spec.get("mutations") or [])
    ]
    return _Compiled(tuple(conditions), tuple(variables), tuple(validations), tuple(mutations))


class _Wrong(Exception):
    def __init__(self, field: str, expression: str, why: str) -> None:
        super().__init__(why)
        self.field, self.expression, self.why = field, expression, why


def _at(field: str, compiler: Compiler, expression: str, *wanted: str) -> Program:
    try:
        return compiler.compile(expression, *wanted)
    except CelError as error:
        raise _Wrong(field, expression, str(error)) from None


def _failures(policy: Object, review: Review) -> Iterator[tuple[str, str]]:
    """Reason and message of each validation that is not met, or that cannot be worked out when the policy says that this counts."""
    compiled, fails = _compiled(policy), policy["spec"].get("failurePolicy", "Fail") == "Fail"
    try:
        data = _data(compiled, review)
    except CelError as error:
        if fails:
            yield "Invalid", str(error)
        return
    if data is None:
        return
    for validation, check, words in compiled.validations:
        try:
            if check.run(data) is True:
                continue
        except CelError as error:
            if fails:
                yield "Invalid", f"expression '{check.expression}' resulted in error: {error}"
            continue
        yield validation.get("reason") or "Invalid", _message(validation, words, data)


def _message(validation: Object, words: Program | None, data: Mapping[str, Any]) -> str:
    """The message expression, or where that gives nothing the message, or else the expression."""
    try:
        said = words.run(data) if words else ""
    except CelError:
        said = ""
    return str(said).strip() or validation.get("message") or f"failed expression: {validation['expression']}"


def _mutated(policy: Object, review: Review) -> Object:
    compiled = _compiled(policy)
    try:
        data = _data(compiled, review)
        changes = [] if data is None else [change for each in compiled.mutations for change in each.run(data)]
    except CelError as error:
        if policy["spec"].get("failurePolicy", "Fail") == "Ignore":
            return review.item
        why = f"policy '{policy['metadata']['name']}' failed: {error}"
        raise errors.forbidden(review.kind, review.item["metadata"].get("name", ""), why) from None
    return patches.json_patch(review.item, changes) if changes else review.item


def _data(compiled: _Compiled, review: Review) -> dict[str, Any] | None:
    """What expressions see; None when a condition of the policy is not met."""
    data = request_data(review.item, review.old, review.request, review.namespace)
    if not all(condition.run(data) is True for condition in compiled.conditions):
        return None
    for name, program in compiled.variables:
        try:
            data[f"variables.{name}"] = program.run(data)
        except CelError:
            # Worked out when it is asked for: what asks for it will fail, what does not will not.
            continue
    return data


# Policies themselves


def _check_policy(kind: Kind, item: Object) -> None:
    spec, name = item.get("spec") or {}, item["metadata"].get("name", "")
    if kind.kind.endswith("Binding"):
        actions = spec.get("validationActions") or []
        causes = [("spec.policyName", "Required value")] if not spec.get("policyName") else []
        if kind is registry.VALIDATING_POLICY_BINDING and not actions:
            causes.append(("spec.validationActions", "Required value: validationActions is required"))
        if {"Deny", "Warn"} <= set(actions):
            shown = ",".join(f'"{each}"' for each in actions)
            why = f"Invalid value: [{shown}]: must not contain both Deny and Warn (repeating the same validation failure information in "
            causes.append(("spec.validationActions", f"{why}the API response and headers serves no purpose)"))
        if causes:
            raise errors.invalid(kind, name, causes)
        return
    if spec.get("paramKind"):
        raise errors.invalid(
            kind, name, [("spec.paramKind", "Forbidden: the lab simulates no policies with parameters")]
        )
    if not (spec.get("matchConstraints") or {}).get("resourceRules"):
        raise errors.invalid(kind, name, [("spec.matchConstraints.resourceRules", "Required value")])
    try:
        _compile(spec)
    except _Wrong as wrong:
        shown = wrong.expression.replace('"', '\\"')
        raise errors.invalid(
            kind, name, [(wrong.field, f'Invalid value: "{shown}": compilation failed: {wrong.why}')]
        ) from None
