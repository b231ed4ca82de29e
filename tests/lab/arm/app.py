# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front door: tokens, api-versions, routes, and the headers of every answer."""

from __future__ import annotations

import inspect
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from lab.access_tokens import Principal, TokenMint, TokenRefused
from lab.arm import authorization, errors, identities, resource_groups, virtual_networks
from lab.arm.call import Answer, Call
from lab.arm.identity_bindings import IdentityBindings
from lab.arm.managed_clusters import ManagedClusters
from lab.arm.private_dns import PrivateDns
from lab.arm.throttling import Throttle
from lab.cloud import Cloud
from lab.scenario import Scenario

Handler = Callable[[Call], Answer | Awaitable[Answer]]

_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_IDENTITIES = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
_CREDENTIALS = f"{_GROUP}{_IDENTITIES}/{{name}}/federatedIdentityCredentials"
_CLUSTERS = "/providers/Microsoft.ContainerService/managedClusters"
_ASSIGNMENTS = "{scope*}/providers/Microsoft.Authorization/roleAssignments"
_DEFINITIONS = "{scope*}/providers/Microsoft.Authorization/roleDefinitions"

# By namespace, those that the current SDKs and az use among them.
_API_VERSIONS = {
    "microsoft.managedidentity": (
        "2018-11-30",
        "2022-01-31-preview",
        "2023-01-31",
        "2023-07-31-preview",
        "2024-11-30",
        "2025-01-31-preview",
        "2025-05-31-preview",
    ),
    "microsoft.containerservice": (
        "2024-09-01",
        "2025-01-01",
        "2025-05-01",
        "2025-07-01",
        "2025-10-01",
        "2026-01-01",
        "2026-03-01",
        "2026-04-01",
        "2026-05-01",
        "2026-06-01",
        "2026-07-01",
        "2026-08-01",
    ),
    "microsoft.authorization": (
        "2018-01-01-preview",
        "2018-07-01",
        "2020-04-01-preview",
        "2022-04-01",
        "2022-05-01-preview",
    ),
    # Of private DNS (the first three), and of virtual networks.
    "microsoft.network": (
        "2018-09-01",
        "2020-06-01",
        "2024-06-01",
        "2022-01-01",
        "2023-11-01",
        "2024-05-01",
        "2024-07-01",
        "2025-01-01",
        "2025-05-01",
        "2025-07-01",
    ),
}
_RESOURCES = re.compile(r"20(1[5-9]|2[0-9])-[01][0-9]-[0-3][0-9](-preview)?")


@dataclass(frozen=True)
class Route:
    """
    :ivar action: what the caller needs to be allowed; empty where the answer depends on who asks.
    """

    method: str
    pattern: re.Pattern[str]
    action: str
    handler: Handler


def _route(method: str, template: str, action: str, handler: Handler) -> Route:
    pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.*)", template)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
    return Route(method, re.compile(pattern, re.IGNORECASE), action, handler)


def _routes(clusters: ManagedClusters) -> list[Route]:
    identity, credential = "Microsoft.ManagedIdentity/userAssignedIdentities", "federatedIdentityCredentials"
    cluster, assignment = "Microsoft.ContainerService/managedClusters", "Microsoft.Authorization/roleAssignments"
    group = "Microsoft.Resources/subscriptions/resourceGroups"
    one_identity, one_cluster = f"{_GROUP}{_IDENTITIES}/{{name}}", f"{_GROUP}{_CLUSTERS}/{{name}}"
    one_credential = f"{_CREDENTIALS}/{{credential}}"
    bindings, binding = IdentityBindings(clusters), f"{cluster}/identityBindings"
    all_bindings, one_binding = f"{one_cluster}/identityBindings", f"{one_cluster}/identityBindings/{{binding}}"
    operations = (
        "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/operations/{operation}"
    )
    table: list[tuple[str, str, str, Handler]] = [
        ("GET", _ASSIGNMENTS, f"{assignment}/read", authorization.list_assignments),
        ("GET", f"{_ASSIGNMENTS}/{{name}}", f"{assignment}/read", authorization.get_assignment),
        ("PUT", f"{_ASSIGNMENTS}/{{name}}", f"{assignment}/write", authorization.put_assignment),
        ("DELETE", f"{_ASSIGNMENTS}/{{name}}", f"{assignment}/delete", authorization.delete_assignment),
        ("GET", _DEFINITIONS, "", authorization.list_definitions),
        ("GET", f"{_DEFINITIONS}/{{name}}", "", authorization.get_definition),
        ("GET", "/tenants", "", resource_groups.list_tenants),
        ("GET", "/subscriptions", "", resource_groups.list_subscriptions),
        ("GET", "/subscriptions/{subscription}", "", resource_groups.get_subscription),
        ("GET", "/subscriptions/{subscription}/locations", "", resource_groups.list_locations),
        ("GET", "/subscriptions/{subscription}/providers", "", resource_groups.list_providers),
        ("GET", "/subscriptions/{subscription}/providers/{namespace}", "", resource_groups.get_provider),
        ("GET", "/subscriptions/{subscription}/resourceGroups", f"{group}/read", resource_groups.list_groups),
        ("GET", _GROUP, f"{group}/read", resource_groups.get_group),
        ("HEAD", _GROUP, f"{group}/read", resource_groups.head_group),
        ("PUT", _GROUP, f"{group}/write", resource_groups.put_group),
        ("GET", f"/subscriptions/{{subscription}}{_IDENTITIES}", f"{identity}/read", identities.list_of_subscription),
        ("GET", f"{_GROUP}{_IDENTITIES}", f"{identity}/read", identities.list_of_group),
        ("GET", one_identity, f"{identity}/read", identities.get),
        ("PUT", one_identity, f"{identity}/write", identities.put),
        ("PATCH", one_identity, f"{identity}/write", identities.patch),
        ("DELETE", one_identity, f"{identity}/delete", identities.delete),
        ("GET", _CREDENTIALS, f"{identity}/{credential}/read", identities.list_credentials),
        ("GET", one_credential, f"{identity}/{credential}/read", identities.get_credential),
        ("PUT", one_credential, f"{identity}/{credential}/write", identities.put_credential),
        ("DELETE", one_credential, f"{identity}/{credential}/delete", identities.delete_credential),
        ("GET", f"/subscriptions/{{subscription}}{_CLUSTERS}", f"{cluster}/read", clusters.list_of_subscription),
        ("GET", f"{_GROUP}{_CLUSTERS}", f"{cluster}/read", clusters.list_of_group),
        ("GET", one_cluster, f"{cluster}/read", clusters.get),
        ("PUT", one_cluster, f"{cluster}/write", clusters.put),
        ("PATCH", one_cluster, f"{cluster}/write", clusters.patch_tags),
        ("POST", f"{one_cluster}/listClusterUserCredential", f"{cluster}/listClusterUserCredential/action", clusters.credentials),
        ("POST", f"{one_cluster}/listClusterAdminCredential", f"{cluster}/listClusterAdminCredential/action", clusters.credentials),
        ("GET", all_bindings, f"{binding}/read", bindings.list_of_cluster),
        ("GET", one_binding, f"{binding}/read", bindings.get),
        ("PUT", one_binding, f"{binding}/write", bindings.put),
        ("DELETE", one_binding, f"{binding}/delete", bindings.delete),
        ("GET", operations, "", clusters.operation),
        *virtual_networks.rows(),
        *PrivateDns().rows(),
    ]  # fmt: skip
    return [_route(*row) for row in table]


class ResourceManager:
    """
    :param audiences: those that a token may have; the first is what the metadata tells clients to ask for.
    """

    def __init__(
        self,
        base: str,
        authority: str,
        audiences: tuple[str, ...],
        mint: TokenMint,
        cloud: Cloud,
        scenario: Scenario,
        clusters: ManagedClusters,
    ) -> None:
        self._base = base
        self._authority = authority
        self._audiences = audiences
        self._mint = mint
        self._cloud = cloud
        self._scenario = scenario
        self._routes = _routes(clusters)
        self._throttle = Throttle(scenario.subscription_id) if scenario.throttling else None

    def application(self) -> web.Application:
        application = web.Application(client_max_size=8 * 2**20)
        application.router.add_get("/metadata/endpoints", self._metadata)
        application.router.add_route("*", "/{path:.*}", self._serve)
        return application

    async def _metadata(self, _request: web.Request) -> web.Response:
        return web.json_response(
            resource_groups.metadata(self._base, self._authority, self._audiences, self._scenario.tenant_id)
        )

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            answer = await self._answer(request)
        except errors.ArmError as error:
            answer = Answer(error.body, error.status, error.headers)
        headers = {**_identifying(request), **request.get("left", {}), **answer.headers}
        if answer.body is None:
            return web.Response(status=answer.status, headers=headers)
        return web.json_response(answer.body, status=answer.status, headers=headers)

    async def _answer(self, request: web.Request) -> Answer:
        principal = self._signed_in(request)
        if self._throttle:
            request["left"] = self._throttle.take(principal, request.method)
        path = re.sub("/{2,}", "/", request.path).rstrip("/")
        route, names = self._find(request.method, path)
        self._check_api_version(request.query.get("api-version", ""), path)
        subscription = names.get("subscription") or _subscription_of(path)
        if subscription and subscription.lower() != self._scenario.subscription_id.lower():
            raise errors.subscription_not_found(subscription)
        call = Call(
            self._base,
            request.method,
            path,
            names,
            request.query,
            request.headers,
            await request.read(),
            principal,
            self._cloud,
            self._scenario,
        )
        if route.action:
            authorization.require(call, route.action)
        answer = route.handler(call)
        return await answer if inspect.isawaitable(answer) else answer

    def _signed_in(self, request: web.Request) -> Principal:
        try:
            return self._mint.check(request.headers.get("Authorization"), self._audiences)
        except TokenRefused as refused:
            challenge = (
                f'Bearer authorization_uri="{self._authority}/{self._scenario.tenant_id}", error="invalid_token", '
                f'error_description="{refused}"'
            )
            raise errors.ArmError(401, refused.code, str(refused), {"WWW-Authenticate": challenge}) from None

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        other_method = False
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match and route.method == method:
                return route, match.groupdict()
            other_method = other_method or bool(match)
        if other_method:
            raise errors.ArmError(
                405, "MethodNotAllowed", f"The requested resource does not support http method '{method}'."
            )
        raise errors.ArmError(
            404,
            "InvalidResourceType",
            f"The lab has no resource at '{path}'; tests/lab/README.md lists what it simulates.",
        )

    def _check_api_version(self, given: str, path: str) -> None:
        if not given:
            raise errors.ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        providers = re.findall(r"/providers/([^/]+)/([^/]+)", path, re.IGNORECASE)
        namespace, kind = providers[-1] if providers else ("", "")
        supported = _API_VERSIONS.get(namespace.lower())
        if supported is None:
            if not _RESOURCES.fullmatch(given):
                raise errors.ArmError(400, "InvalidApiVersionParameter", f"The api-version '{given}' is invalid.")
        elif given not in supported:
            raise errors.ArmError(
                400,
                "NoRegisteredProviderFound",
                f"No registered resource provider found for location '{self._scenario.location}' and API version '{given}' for type "
                f"'{kind}'. The supported api-versions are '{', '.join(supported)}'. The supported locations are "
                f"'{', '.join(resource_groups.LOCATIONS)}'.",
            )


def _subscription_of(path: str) -> str:
    match = re.match(r"/subscriptions/([^/]+)", path, re.IGNORECASE)
    return match.group(1) if match else ""


def _identifying(request: web.Request) -> dict[str, str]:
    request_id = str(uuid.uuid4())
    return {
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request.headers.get("x-ms-correlation-request-id", request_id),
        "x-ms-routing-request-id": f"LAB:{request_id}",
        "Cache-Control": "no-cache",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
    }
