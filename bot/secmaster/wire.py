"""Build the parts of a request to SecMaster; nothing here touches the network."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx

# https://support.huaweicloud.com/api-secmaster/UpdateWorkflowInstance.html
JSON = "application/json;charset=UTF-8"


def base_url(endpoint: str) -> str:
    """Return an endpoint such as ``https://secmaster.cn-north-4.myhuaweicloud.com``, checked.

    Without a slash at the end; raises ValueError.
    """
    try:
        url = httpx.URL(endpoint)
    except httpx.InvalidURL as error:
        raise ValueError(f"not an endpoint: {error}") from None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query:
        raise ValueError("an endpoint is https://host, perhaps with a port and a path")
    return endpoint.rstrip("/")


def segment(identifier: str) -> str:
    """Return an id encoded as exactly one segment of a path; raises ValueError."""
    # Dots alone stay dots when encoded, and servers resolve them even as %2E.
    if identifier.strip() in ("", ".", ".."):
        raise ValueError("an id must not be empty or made of dots")
    return quote(identifier, safe="")


def filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are neither empty nor None."""
    return {name: value for name, value in fields.items() if value not in ("", None)}


def query(params: Mapping[str, Any]) -> str:
    """Return the filled parameters as a query string."""
    # A space goes out as %20: "+" means a space only to some, and the signature covers it.
    return urlencode(filled(params), quote_via=quote)


def json_body(fields: Mapping[str, Any]) -> bytes:
    """Return the filled fields as a JSON object."""
    return json.dumps(filled(fields)).encode()
