# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server: who asks, for what, and in which form the answer goes out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from lab.kubernetes import admission_policies, authorization, bodies, discovery, errors, openapi, subresources, target
from lab.kubernetes.authorization import ServiceAccountUser
from lab.kubernetes.bodies import answer
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.controllers import Controllers
from lab.kubernetes.deletion import Deleter
from lab.kubernetes.reads import Form, Reader
from lab.kubernetes.registry import NAMESPACE, POD, SERVICE_ACCOUNT, Kind
from lab.kubernetes.store import Object, Store
from lab.kubernetes.target import Target
from lab.kubernetes.tokens import TokenIssuer
from lab.kubernetes.watches import Watch
from lab.kubernetes.writes import APPLY_PATCH, Options, Writer

LOG = logging.getLogger(__name__)
_LARGEST_BODY = 3 * 2**20


def build(
    store: Store,
    settings: ClusterSettings,
    tokens: TokenIssuer,
    controllers: Controllers,
    credentials: Mapping[str, str],
) -> web.Application:
    """
    :param credentials: bearer token to user name.
    """
    return _ApiServer(store, settings, tokens, controllers, credentials).application()


class _ApiServer:
    def __init__(
        self,
        store: Store,
        settings: ClusterSettings,
        tokens: TokenIssuer,
        controllers: Controllers,
        credentials: Mapping[str, str],
    ) -> None:
        self._store = store
        self._settings = settings
        self._tokens = tokens
        self._controllers = controllers
        self._credentials = credentials
        self._reader = Reader(store)
        self._writer = Writer(store, settings)
        self._deleter = Deleter(store)
        self._streams: set[asyncio.Task[Any]] = set()

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard], client_max_size=_LARGEST_BODY)
        router = application.router
        for path, handler in {
            "/healthz": _healthy,
            "/livez": _healthy,
            "/readyz": _healthy,
            "/version": self._version,
            "/api": self._core_versions,
            "/api/v1": self._resources,
            "/apis": self._groups,
            "/apis/{group}": self._group,
            "/apis/{group}/{version}": self._resources,
            "/openapi/v2": self._openapi_v2,
            "/openapi/v3": self._openapi_index,
        }.items():
            router.add_get(f"{path}{{slash:/?}}", handler)
        router.add_get("/openapi/v3/{path:.+}", self._openapi_document)
        router.add_route("*", "/api/v1/{rest:.+}", self._objects)
        router.add_route("*", "/apis/{group}/{version}/{rest:.+}", self._objects)
        application.on_shutdown.append(self._end_streams)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            scheme, _blank, token = request.headers.get("Authorization", "").partition(" ")
            user = self._user(token) if scheme.lower() == "bearer" else None
            if user is None:
                raise errors.unauthorized()
            request["user"] = user
            await self._controllers.listeners.served()
            response: web.StreamResponse = await handler(request)
            return response
        except errors.StatusError as error:
            refusal = error
        except web.HTTPNotFound:
            refusal = errors.no_such_path()
        except web.HTTPMethodNotAllowed:
            refusal = errors.method_not_allowed()
        except web.HTTPRequestEntityTooLarge:
            message = f"Request entity too large: limit is {_LARGEST_BODY}"
            refusal = errors.StatusError(413, "RequestEntityTooLarge", message)
        except ConnectionError:
            raise
        except Exception as error:
            LOG.exception("%s %s failed", request.method, request.path_qs)
            refusal = errors.internal(f"{type(error).__name__}: {error}")
        return answer(refusal.body, refusal.code)

    def _user(self, token: str) -> str | ServiceAccountUser | None:
        if token in self._credentials:
            return self._credentials[token]
        claims = self._tokens.verify(token)
        if claims is None:
            return None
        bound = claims["kubernetes.io"]
        named, pod = bound["serviceaccount"], bound.get("pod")
        account = self._store.find(SERVICE_ACCOUNT, bound["namespace"], named["name"])
        # A token goes with its ServiceAccount and its pod.
        if account is None or account["metadata"]["uid"] != named["uid"]:
            return None
        if pod and not self._store.find(POD, bound["namespace"], pod["name"]):
            return None
        return ServiceAccountUser(bound["namespace"], named["name"])

    async def _end_streams(self, _application: web.Application) -> None:
        for task in self._streams:
            task.cancel()

    # Discovery

    async def _version(self, _request: web.Request) -> web.Response:
        return answer(discovery.VERSION)

    async def _core_versions(self, request: web.Request) -> web.Response:
        if _wants_aggregated(request):
            return answer(discovery.aggregated(core=True), content_type=discovery.AGGREGATED)
        return answer(discovery.core_versions(request.host))

    async def _groups(self, request: web.Request) -> web.Response:
        if _wants_aggregated(request):
            return answer(discovery.aggregated(core=False), content_type=discovery.AGGREGATED)
        return answer(discovery.group_list())

    async def _group(self, request: web.Request) -> web.Response:
        return _found(discovery.group(request.match_info["group"]))

    async def _resources(self, request: web.Request) -> web.Response:
        info = request.match_info
        return _found(discovery.resource_list(info.get("group", ""), info.get("version", "v1")))

    async def _openapi_v2(self, request: web.Request) -> web.Response:
        accept = request.headers.get("Accept", "")
        if "protobuf" in accept and bodies.JSON not in accept.replace("+protobuf", ""):
            raise errors.StatusError(
                406, "NotAcceptable", "only the following media types are accepted: application/json"
            )
        return answer(await asyncio.to_thread(openapi.v2))

    async def _openapi_index(self, _request: web.Request) -> web.Response:
        return answer(await asyncio.to_thread(openapi.index))

    async def _openapi_document(self, request: web.Request) -> web.Response:
        return _found(await asyncio.to_thread(openapi.document, request.match_info["path"]))

    # Objects

    async def _objects(self, request: web.Request) -> web.StreamResponse:
        info = request.match_info
        group, version, rest = info.get("group", ""), info.get("version", "v1"), info["rest"]
        admission_policies.begin_request()
        for kind in discovery.REVIEWS:
            if (kind.group, kind.version, kind.plural) == (group, version, rest) and request.method == "POST":
                return answer(self._review(kind, await bodies.read_object(request), request["user"]), 201)
        asked = target.parse(group, version, rest)
        if isinstance(request["user"], ServiceAccountUser):
            verb = authorization.verb_of(request.method, request.query, named=bool(asked.name))
            authorization.require(self._store, request["user"], verb, asked)
        if asked.subresource and asked.subresource != "status":
            return await self._subresource(request, asked)
        # Nobody creates or deletes in all namespaces at once.
        scoped = bool(asked.namespace) or not asked.kind.namespaced
        match request.method:
            case "GET":
                return await self._read(request, asked)
            case "POST" if not asked.name and scoped:
                return await self._create(request, asked)
            case "PUT" if asked.name:
                return await self._replace(request, asked)
            case "PATCH" if asked.name:
                return await self._patch(request, asked)
            case "DELETE" if not asked.subresource and (asked.name or (scoped and asked.kind is not NAMESPACE)):
                return await self._delete(request, asked)
        raise errors.method_not_allowed()

    def _review(self, kind: Kind, given: Object, user: str | ServiceAccountUser) -> Object:
        reviewed = subresources.review(kind, given, str(user))
        if isinstance(user, ServiceAccountUser):
            if "userInfo" in reviewed["status"]:
                reviewed["status"]["userInfo"]["groups"] = list(user.groups)
            else:
                allowed = authorization.review(self._store, user, given.get("spec") or {})
                reviewed["status"] = {"allowed": allowed}
        return reviewed

    async def _read(self, request: web.Request, asked: Target) -> web.StreamResponse:
        query = request.query
        form = Form(asked.kind, request.headers.get("Accept", ""), query.get("includeObject", ""))
        if query.get("watch") in ("true", "1"):
            watch = Watch(self._store, asked, query, form, self._settings.bookmark_seconds)
            return await self._watch(request, watch)
        if asked.name:
            return answer(form.one(self._reader.get(asked)))
        return answer(self._reader.list(asked, query, form))

    async def _watch(self, request: web.Request, watch: Watch) -> web.StreamResponse:
        if self._settings.refuse_expired_watches and (refusal := watch.refusal()):
            raise refusal
        response = web.StreamResponse(headers={"Content-Type": bodies.JSON})
        response.enable_chunked_encoding()
        await response.prepare(request)
        with self._ending_with_the_server():
            try:
                async with asyncio.timeout(watch.seconds), contextlib.aclosing(watch.lines()) as lines:
                    async for line in lines:
                        await response.write(line)
            except TimeoutError:
                if last := watch.last():
                    await response.write(last)
        await response.write_eof()
        return response

    def _ending_with_the_server(self) -> _Registered:
        return _Registered(self._streams)

    async def _create(self, request: web.Request, asked: Target) -> web.Response:
        options = bodies.options(request)
        item = self._writer.create(asked, await bodies.read_object(request), options)
        return _written(item, options, request, asked, 201)

    async def _replace(self, request: web.Request, asked: Target) -> web.Response:
        options = bodies.options(request)
        item = self._writer.replace(asked, await bodies.read_object(request), options)
        return _written(item, options, request, asked)

    async def _patch(self, request: web.Request, asked: Target) -> web.Response:
        content_type, patch = request.content_type, await bodies.read_patch(request)
        if content_type == APPLY_PATCH:
            options = bodies.apply_options(request)
            item, created = self._writer.apply(asked, patch, options)
            return _written(item, options, request, asked, 201 if created else 200)
        options = bodies.options(request)
        return _written(self._writer.patch(asked, content_type, patch, options), options, request, asked)

    async def _delete(self, request: web.Request, asked: Target) -> web.Response:
        given = await bodies.read_object(request) if request.can_read_body else {}
        named = ("propagationPolicy", "gracePeriodSeconds", "orphanDependents")
        options = {**given, **{name: request.query[name] for name in named if name in request.query}}
        dry_run = request.query.get("dryRun") == "All" or "All" in (given.get("dryRun") or [])
        if asked.name:
            return answer(self._deleter.delete(asked, options, dry_run=dry_run))
        found = self._reader.select(asked, request.query)
        listed = Form(asked.kind, "", "").many(found, {"resourceVersion": str(self._store.revision)})
        for item in found:
            metadata = item["metadata"]
            one = Target(asked.kind, metadata.get("namespace", ""), metadata["name"])
            self._deleter.delete(one, options, dry_run=dry_run)
        return answer(listed)

    # Subresources

    async def _subresource(self, request: web.Request, asked: Target) -> web.StreamResponse:
        match asked.kind.plural, asked.subresource, request.method:
            case "serviceaccounts", "token", "POST":
                given = await bodies.read_object(request)
                return answer(subresources.request_token(self._store, self._settings, self._tokens, asked, given), 201)
            case "pods", "log", "GET":
                return await self._log(request, asked)
            case "namespaces", "finalize", "PUT":
                return answer(subresources.finalized(self._store, asked, await bodies.read_object(request)))
            case _, "scale", ("GET" | "PUT" | "PATCH") if "scale" in asked.kind.subresources:
                return await self._scale(request, asked)
        raise errors.no_such_path()

    async def _scale(self, request: web.Request, asked: Target) -> web.Response:
        item = self._reader.get(asked)
        if request.method == "GET":
            return answer(subresources.scale_of(item))
        options = bodies.options(request)
        if request.method == "PATCH":
            scale = subresources.patched_scale(item, request.content_type, await bodies.read_patch(request))
        else:
            scale = await bodies.read_object(request)
        changed = self._writer.replace(asked, subresources.scaled(item, scale), options)
        return answer(subresources.scale_of(changed))

    async def _log(self, request: web.Request, asked: Target) -> web.StreamResponse:
        pieces = subresources.log(self._store, self._controllers, asked, request.query)
        first = await anext(pieces)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        with self._ending_with_the_server():
            if first:
                await response.write(first)
            async for piece in pieces:
                await response.write(piece)
        await response.write_eof()
        return response


class _Registered:
    """The running request, for as long as it streams, among those that end with the server."""

    def __init__(self, streams: set[asyncio.Task[Any]]) -> None:
        self._streams = streams
        self._task = asyncio.current_task()

    def __enter__(self) -> None:
        if self._task:
            self._streams.add(self._task)

    def __exit__(self, *_exception: object) -> None:
        self._streams.discard(self._task)


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _written(item: Object, options: Options, request: web.Request, asked: Target, status: int = 200) -> web.Response:
    form = Form(asked.kind, request.headers.get("Accept", ""), request.query.get("includeObject", ""))
    return bodies.warned(answer(form.one(item), status), [*options.warnings, *admission_policies.warnings()])


def _found(body: Any) -> web.Response:
    if body is None:
        raise errors.no_such_path()
    return answer(body)


def _wants_aggregated(request: web.Request) -> bool:
    accept = request.headers.get("Accept", "")
    return "as=APIGroupDiscoveryList" in accept and "v=v2;" in f"{accept};"
