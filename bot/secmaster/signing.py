"""Huawei Cloud's request signature, SDK-HMAC-SHA256: strings in, strings out.

https://support.huaweicloud.com/devg-apisign/api-sign-algorithm-001.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote_to_bytes

ALGORITHM = "SDK-HMAC-SHA256"

# Stands in for the hash of a body that is not JSON.
UNSIGNED = "UNSIGNED-PAYLOAD"


def authorization(ak: str, sk: str, request: str, headers: Mapping[str, str]) -> str:
    """Write the ``Authorization`` header for a canonical request and the headers in it."""
    to_sign = f"{ALGORITHM}\n{headers['x-sdk-date']}\n{digest(request.encode())}"
    signature = hmac.new(sk.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Access={ak}, SignedHeaders={_names(headers)}, Signature={signature}"


def canonical_request(method: str, target: str, headers: Mapping[str, str], payload: str) -> str:
    """Write a request down the one way both sides agree on.

    ``target`` is path and query as sent; ``headers`` are those to sign, in lower case, with
    ``host`` and ``x-sdk-date`` among them; ``payload`` is the hash of the body or UNSIGNED.
    """
    path, _, query = target.partition("?")
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    parts = (method, _path(path), _query(query), lines, _names(headers), payload)
    return "\n".join(parts)


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _names(headers: Mapping[str, str]) -> str:
    return ";".join(sorted(headers))


def _path(path: str) -> str:
    # Decoded first, because the way a character was escaped must not change the signature.
    encoded = "/".join(quote(unquote_to_bytes(part), safe="") for part in path.split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
