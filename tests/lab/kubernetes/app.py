# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server: who asks, for what, and in which form the answer goes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import yaml
from aiohttp import web

from lab.kubernetes import discovery, errors, openapi, protobuf, subresources, target
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.controllers import Controllers
from lab.kubernetes.reads import Form, Reader
from lab.kubernetes.store import Object, Store
from lab.kubernetes.target import Target
from lab.kubernetes.tokens import TokenIssuer
from lab.kubernetes.writes import APPLY_PATCH, PATCH_TYPES, Options, Writer

_JSON = "application/json"


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
        self._streams: set[asyncio.Task[Any]] = set()

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard], client_max_size=8 * 2**20)
        router = application.router
        for path in ("/healthz", "/livez", "/readyz"):
            router.add_get(path, _healthy)
        router.add_get("/version", self._version)
        router.add_get("/api", self._core_versions)
        router.add_get("/apis", self._groups)
        router.add_get("/apis/{group}", self._group)
        router.add_get("/api/v1", self._resources)
        router.add_get("/apis/{group}/{version}", self._resources)
        router.add_get("/openapi/v2", self._openapi_v2)
        router.add_get("/openapi/v3", self._openapi_index)
        router.add_get("/openapi/v3/{path:.+}", self._openapi_document)
        router.add_route("*", "/api/v1/{rest:.+}", self._objects)
        router.add_route("*", "/apis/{group}/{version}/{rest:.+}", self._objects)
        application.on_shutdown.append(self._end_streams)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            user = self._credentials.get(token) if scheme.lower() == "bearer" else None
            if user is None:
                raise errors.unauthorized()
            request["user"] = user
            answer: web.StreamResponse = await handler(request)
            return answer
        except errors.StatusError as error:
            return _answer(error.body, error.code)
        except web.HTTPNotFound:
            error = errors.no_such_path()
            return _answer(error.body, error.code)

    async def _end_streams(self, _application: web.Application) -> None:
        for task in self._streams:
            task.cancel()

    # Discovery

    async def _version(self, _request: web.Request) -> web.Response:
        return _answer(discovery.VERSION)

    async def _core_versions(self, request: web.Request) -> web.Response:
        if _wants_aggregated(request):
            return _answer(discovery.aggregated(core=True), content_type=discovery.AGGREGATED)
        return _answer(discovery.core_versions(request.host))

    async def _groups(self, request: web.Request) -> web.Response:
        if _wants_aggregated(request):
            return _answer(discovery.aggregated(core=False), content_type=discovery.AGGREGATED)
        return _answer(discovery.group_list())

    async def _group(self, request: web.Request) -> web.Response:
        return _found(discovery.group(request.match_info["group"]))

    async def _resources(self, request: web.Request) -> web.Response:
        info = request.match_info
        return _found(discovery.resource_list(info.get("group", ""), info.get("version", "v1")))

    async def _openapi_v2(self, request: web.Request) -> web.Response:
        accept = request.headers.get("Accept", "")
        if "protobuf" in accept and _JSON not in accept.replace("+protobuf", ""):
            raise errors.StatusError(
                406, "NotAcceptable", "only the following media types are accepted: application/json"
            )
        return _answer(await asyncio.to_thread(openapi.v2))

    async def _openapi_index(self, _request: web.Request) -> web.Response:
        return _answer(await asyncio.to_thread(openapi.index))

    async def _openapi_document(self, request: web.Request) -> web.Response:
        return _found(await asyncio.to_thread(openapi.document, request.match_info["path"]))

    # Objects

    async def _objects(self, request: web.Request) -> web.StreamResponse:
        info = request.match_info
        group, version, rest = info.get("group", ""), info.get("version", "v1"), info["rest"]
        for kind in discovery.REVIEWS:
            if (kind.group, kind.version, kind.plural) == (group, version, rest) and request.method == "POST":
                return _answer(subresources.review(kind, await _body(request), request["user"]), 201)
        asked = target.parse(group, version, rest)
        if asked.subresource and asked.subresource != "status":
            return await self._subresource(request, asked)
        match request.method:
            case "GET":
                return await self._read(request, asked)
            case "POST" if not asked.name:
                return await self._create(request, asked)
            case "PUT" if asked.name:
                options = _options(request)
                return _written(self._writer.replace(asked, await _body(request), options), options, request, asked)
            case "PATCH" if asked.name:
                return await self._patch(request, asked)
            case "DELETE" if not asked.subresource:
                return await self._delete(request, asked)
        raise errors.StatusError(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
        )

    async def _read(self, request: web.Request, asked: Target) -> web.StreamResponse:
        query = request.query
        form = Form(asked.kind, request.headers.get("Accept", ""), query.get("includeObject", ""))
        if query.get("watch") in ("true", "1"):
            return await self._stream(request, asked, form)
        if asked.name:
            return _answer(form.one(self._reader.get(asked)))
        return _answer(self._reader.list(asked, query, form))

    async def _stream(self, request: web.Request, asked: Target, form: Form) -> web.StreamResponse:
        events = self._reader.watch(asked, request.query, form)
        response = web.StreamResponse(headers={"Content-Type": _JSON})
        response.enable_chunked_encoding()
        await response.prepare(request)
        with self._ending_with_the_server():
            async for event in events:
                await response.write(_encoded(event) + b"\n")
        await response.write_eof()
        return response

    def _ending_with_the_server(self) -> _Registered:
        return _Registered(self._streams)

    async def _create(self, request: web.Request, asked: Target) -> web.Response:
        options = _options(request)
        return _written(self._writer.create(asked, await _body(request), options), options, request, asked, 201)

    async def _patch(self, request: web.Request, asked: Target) -> web.Response:
        content_type = request.content_type
        if content_type not in PATCH_TYPES:
            raise errors.StatusError(
                415,
                "UnsupportedMediaType",
                f"the body of the request was in an unknown format - accepted media types include: {', '.join(PATCH_TYPES)}",
            )
        options, body = _options(request), await _body(request)
        if content_type != APPLY_PATCH:
            return _written(self._writer.patch(asked, content_type, body, options), options, request, asked)
        if not request.query.get("fieldManager"):
            why = "fieldManager: Required value: is required for apply patch"
            raise errors.StatusError(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {why}')
        item, created = self._writer.apply(asked, body, options)
        return _written(item, options, request, asked, 201 if created else 200)

    async def _delete(self, request: web.Request, asked: Target) -> web.Response:
        given = await _body(request) if request.can_read_body else {}
        query = request.query
        options = {
            **given,
            **{name: query[name] for name in ("propagationPolicy", "gracePeriodSeconds") if name in query},
        }
        dry_run = query.get("dryRun") == "All" or "All" in (given.get("dryRun") or [])
        if asked.name:
            return _answer(self._writer.delete(asked, options, dry_run=dry_run))
        form = Form(asked.kind, "", "")
        found = self._reader.list(asked, {**query, "limit": ""}, form)
        for item in found["items"]:
            metadata = item["metadata"]
            one = Target(asked.kind, metadata.get("namespace", ""), metadata["name"])
            self._writer.delete(one, options, dry_run=dry_run)
        return _answer(found)

    # Subresources

    async def _subresource(self, request: web.Request, asked: Target) -> web.StreamResponse:
        match asked.kind.plural, asked.subresource, request.method:
            case "serviceaccounts", "token", "POST":
                given = await _body(request)
                return _answer(subresources.request_token(self._store, self._settings, self._tokens, asked, given), 201)
            case "pods", "log", "GET":
                return await self._log(request, asked)
            case "namespaces", "finalize", "PUT":
                return _answer(subresources.finalized(self._store, asked, await _body(request)))
            case _, "scale", ("GET" | "PUT" | "PATCH") if "scale" in asked.kind.subresources:
                return await self._scale(request, asked)
        raise errors.no_such_path()

    async def _scale(self, request: web.Request, asked: Target) -> web.Response:
        item = self._reader.get(asked)
        if request.method == "GET":
            return _answer(subresources.scale_of(item))
        given, options = await _body(request), _options(request)
        if request.method == "PATCH":
            given = {
                "metadata": given.get("metadata") or {},
                "spec": {"replicas": item["spec"].get("replicas"), **given["spec"]},
            }
        changed = self._writer.replace(asked, subresources.scaled(item, given), options)
        return _answer(subresources.scale_of(changed))

    async def _log(self, request: web.Request, asked: Target) -> web.StreamResponse:
        pieces = subresources.log(self._store, self._controllers, asked, request.query)
        first = await anext(pieces)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        with self._ending_with_the_server():
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
        self._streams.discard(self._task)  # type: ignore[arg-type]


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _body(request: web.Request) -> Any:
    content = await request.read()
    try:
        if content.startswith(b"k8s\0"):
            return protobuf.decode(content)
        if "yaml" in request.content_type:
            return yaml.safe_load(content)
        return json.loads(content or b"{}")
    except protobuf.Unsupported as error:
        raise errors.StatusError(415, "UnsupportedMediaType", str(error)) from None
    except (ValueError, yaml.YAMLError) as error:
        raise errors.bad_request(f"the object provided is unrecognized (must be of type object): {error}") from None


def _options(request: web.Request) -> Options:
    query = request.query
    manager = query.get("fieldManager") or request.headers.get("User-Agent", "unknown").partition("/")[0]
    return Options(
        manager=manager,
        dry_run=query.get("dryRun") == "All",
        validation=query.get("fieldValidation") or "Warn",
        force=query.get("force") in ("true", "True", "1"),
    )


def _written(item: Object, options: Options, request: web.Request, asked: Target, status: int = 200) -> web.Response:
    form = Form(asked.kind, request.headers.get("Accept", ""), "Object")
    answer = _answer(form.one(item), status)
    for warning in options.warnings:
        escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
        answer.headers.add("Warning", f'299 - "{escaped}"')
    return answer


def _found(body: Any) -> web.Response:
    if body is None:
        raise errors.no_such_path()
    return _answer(body)


def _answer(body: Any, status: int = 200, content_type: str = _JSON) -> web.Response:
    return web.Response(body=_encoded(body), status=status, headers={"Content-Type": content_type})


def _encoded(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _wants_aggregated(request: web.Request) -> bool:
    return "as=APIGroupDiscoveryList" in request.headers.get("Accept", "") and "v=v2;" in request.headers["Accept"]
