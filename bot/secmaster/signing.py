"""Sign requests as Huawei Cloud wants it, with SDK-HMAC-SHA256: strings in, strings out.

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
    """Return the ``Authorization`` header for a canonical request and the headers in it."""
    to_sign = f"{ALGORITHM}\n{headers['x-sdk-date']}\n{digest(request.encode())}"
    signature = hmac.new(sk.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Access={ak}, SignedHeaders={_names(headers)}, Signature={signature}"


def canonical_request(method: str, target: str, headers: Mapping[str, str], payload: str) -> str:
    """Return a request in the one form that both sides sign.

    ``target`` is path and query as sent; ``headers`` are those to sign, in lower case, with
    ``host`` and ``x-sdk-date`` among them; ``payload`` is the hash of the body or UNSIGNED.
    """
    raw_path, _, raw_query = target.partition("?")
    # Decoded first, because the way a character was escaped must not change the signature.
    path = "/".join(quote(unquote_to_bytes(part), safe="") for part in raw_path.split("/"))
    path = path if path.endswith("/") else f"{path}/"
    pairs = sorted(parse_qsl(raw_query, keep_blank_values=True))
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    return "\n".join((method, path, query, lines, _names(headers), payload))


def digest(body: bytes) -> str:
    """Return the SHA-256 of a body, as hexadecimal text."""
    return hashlib.sha256(body).hexdigest()


def _names(headers: Mapping[str, str]) -> str:
    return ";".join(sorted(headers))
