# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request's bytes to what it asks for, and from an answer's objects to bytes."""

from __future__ import annotations

import json
from typing import Any

import yaml
from aiohttp import web

from lab.kubernetes import errors, protobuf
from lab.kubernetes.store import Object
from lab.kubernetes.writes import PATCH_TYPES, Options

JSON = "application/json"
_BODY_TYPES = (JSON, "application/yaml", protobuf.CONTENT_TYPE)
_TRUE = ("true", "True", "1")


async def read_object(request: web.Request) -> Object:
    """
    :raises StatusError: 400 or 415 for what is no object.
    """
    if request.can_read_body and request.content_type not in (*_BODY_TYPES, "application/octet-stream"):
        raise _unsupported(_BODY_TYPES)
    given = await read(request)
    if not isinstance(given, dict):
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {type(given).__name__} is no object")
    return given


async def read_patch(request: web.Request) -> Any:
    if request.content_type not in PATCH_TYPES:
        raise _unsupported(PATCH_TYPES)
    return await read(request)


async def read(request: web.Request) -> Any:
    content = await request.read()
    try:
        if content.startswith(protobuf.MAGIC):
            return protobuf.decode(content)
        if "yaml" in request.content_type:
            return yaml.load(content, _Yaml)
        return json.loads(content or b"{}")
    except protobuf.Unsupported as error:
        raise errors.StatusError(415, "UnsupportedMediaType", str(error)) from None
    except (ValueError, yaml.YAMLError) as error:
        raise errors.bad_request(f"the object provided is unrecognized (must be of type object): {error}") from None


# Which base there is depends on how PyYAML was built, which its hints cannot tell.
class _Yaml(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """Times stay strings, as in JSON."""


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Yaml.yaml_implicit_resolvers.items()
}


def options(request: web.Request) -> Options:
    query = request.query
    dry_run, validation = query.get("dryRun", ""), query.get("fieldValidation") or "Warn"
    if dry_run not in ("", "All"):
        raise _invalid_option("dryRun", f'Unsupported value: "{dry_run}": supported values: "All"')
    if validation not in ("Ignore", "Warn", "Strict"):
        supported = '"", "Ignore", "Strict", "Warn"'
        raise _invalid_option("fieldValidation", f'Unsupported value: "{validation}": supported values: {supported}')
    if "force" in query and "apply-patch" not in request.content_type and request.method == "PATCH":
        raise _invalid_option("force", "Forbidden: may not be specified for non-apply patch")
    return Options(
        manager=query.get("fieldManager") or request.headers.get("User-Agent", "unknown").partition("/")[0],
        dry_run=dry_run == "All",
        validation=validation,
        force=query.get("force") in _TRUE,
    )


def apply_options(request: web.Request) -> Options:
    if not request.query.get("fieldManager"):
        raise _invalid_option("fieldManager", "Required value: is required for apply patch")
    return options(request)


def answer(body: Any, status: int = 200, content_type: str = JSON) -> web.Response:
    return web.Response(body=encoded(body), status=status, headers={"Content-Type": content_type})


def encoded(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def warned(response: web.Response, warnings: list[str]) -> web.Response:
    for warning in warnings:
        escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    return response


def _unsupported(accepted: tuple[str, ...]) -> errors.StatusError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return errors.StatusError(415, "UnsupportedMediaType", message)


def _invalid_option(field: str, why: str) -> errors.StatusError:
    return errors.StatusError(422, "Invalid", f'Options.meta.k8s.io "" is invalid: {field}: {why}')
