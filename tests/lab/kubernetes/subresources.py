# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hangs on an object: its scale, a token of a ServiceAccount, the log of a pod, the end of a namespace."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any

from lab.kubernetes import errors, patches
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.controllers import Controllers
from lab.kubernetes.registry import POD, Kind
from lab.kubernetes.store import Object, Store, now
from lab.kubernetes.target import Target
from lab.kubernetes.tokens import TokenIssuer
from lab.kubernetes.writes import JSON_PATCH
from lab.merge_patch import merge

SHORTEST_TOKEN_S, LONGEST_TOKEN_S, DEFAULT_TOKEN_S = 600, 2**32, 3600
_FOLLOW_PAUSE_S = 0.2
_TOKEN_REQUEST = Kind("authentication.k8s.io", "v1", "TokenRequest", "tokenrequests", True)


def request_token(
    store: Store, settings: ClusterSettings, tokens: TokenIssuer, target: Target, given: Object
) -> Object:
    """The TokenRequest API."""
    account = store.get(target.kind, target.namespace, target.name)
    spec = given.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    seconds = DEFAULT_TOKEN_S if seconds is None else seconds
    if seconds < SHORTEST_TOKEN_S:
        why = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
        raise errors.invalid(_TOKEN_REQUEST, "", [("spec.expirationSeconds", why)])
    if seconds > LONGEST_TOKEN_S:
        why = f"Invalid value: {seconds}: may not specify a duration larger than 2^32 seconds"
        raise errors.invalid(_TOKEN_REQUEST, "", [("spec.expirationSeconds", why)])
    pod = _bound_pod(store, target.namespace, spec.get("boundObjectRef") or {})
    audiences = spec.get("audiences") or [settings.token_issuer]
    token, expires = tokens.mint(target.namespace, account, audiences, seconds, pod)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": target.name, "namespace": target.namespace, "creationTimestamp": now()},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": spec.get("boundObjectRef")},
        "status": {"token": token, "expirationTimestamp": expires},
    }


def _bound_pod(store: Store, namespace: str, reference: Object) -> Object | None:
    if not reference:
        return None
    if reference.get("kind") != "Pod":
        raise errors.bad_request(f"cannot bind token to object of type {reference.get('kind')}")
    return store.get(POD, namespace, reference.get("name", ""))


# Scale


def scale_of(item: Object) -> Object:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    shown = {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": shown,
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": {"replicas": status.get("replicas", 0), "selector": selector},
    }


def patched_scale(item: Object, content_type: str, patch: Any) -> Object:
    scale = scale_of(item)
    if content_type == JSON_PATCH:
        return patches.json_patch(scale, patch)
    return merge(scale, patch)


def scaled(item: Object, scale: Object) -> Object:
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        kind = Kind("autoscaling", "v1", "Scale", "scales", True)
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise errors.invalid(kind, item["metadata"]["name"], [("spec.replicas", why)])
    changed = copy.deepcopy(item)
    changed["spec"]["replicas"] = replicas
    version = (scale.get("metadata") or {}).get("resourceVersion")
    if version:
        changed["metadata"]["resourceVersion"] = version
    return changed


def finalized(store: Store, target: Target, given: Object) -> Object:
    """A namespace with the finalizers of its spec as given."""
    with store.changing(target.kind, "", target.name) as namespace:
        namespace["spec"] = {"finalizers": list((given.get("spec") or {}).get("finalizers") or [])}
    return store.find(target.kind, "", target.name) or given


# Logs


async def log(store: Store, controllers: Controllers, target: Target, query: Mapping[str, str]) -> AsyncIterator[bytes]:
    """The lines of a container, and with C(follow) those to come until the pod ends."""
    content = controllers.pod_log(target.namespace, target.name, query.get("container"))
    yield _tail(content, query.get("tailLines"))
    seen = len(content)
    while query.get("follow") == "true" and _runs(store.find(POD, target.namespace, target.name)):
        await asyncio.sleep(_FOLLOW_PAUSE_S)
        try:
            content = controllers.pod_log(target.namespace, target.name, query.get("container"))
        except errors.StatusError:
            return
        if len(content) > seen:
            yield content[seen:]
        seen = len(content)


def _tail(content: bytes, lines: str | None) -> bytes:
    if lines is None:
        return content
    kept = content.splitlines(keepends=True)
    return b"".join(kept[len(kept) - int(lines) :] if int(lines) < len(kept) else kept) if int(lines) else b""


def _runs(pod: Object | None) -> bool:
    return pod is not None and (pod.get("status") or {}).get("phase") in ("Pending", "Running")


# Questions about oneself


def review(kind: Kind, given: Object, user: str) -> dict[str, Any]:
    head = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {"creationTimestamp": None}}
    if kind.kind == "SelfSubjectReview":
        return {
            **head,
            "status": {"userInfo": {"username": user, "groups": ["system:masters", "system:authenticated"]}},
        }
    return {**head, "spec": given.get("spec") or {}, "status": {"allowed": True, "reason": "cluster-admin"}}
