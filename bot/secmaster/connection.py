"""Open connections to SecMaster and IAM, with limits and timeouts and the reason for each."""

import logging

import httpx

AT_ONCE = 8  # httpx's pool slows as it grows; eight carry more than SecMaster allows
PATIENCE = 30  # seconds of waiting for a free connection: harmless, for nothing has been sent

TIMEOUT = httpx.Timeout(
    connect=5,  # within a cloud TCP and TLS take well under a second; longer means nobody is there
    read=30,  # SecMaster moves a flow on before it answers an update; giving up leaves a doubt
    write=10,  # bodies are small, only attachments take a while
    pool=PATIENCE,
)

# One request from end to end: a response that drips in renews each of the above for ever.
WHOLE = 90  # seconds

LIMITS = httpx.Limits(
    max_connections=AT_ONCE,
    max_keepalive_connections=AT_ONCE,
    # Shorter than a gateway's own idle limit: a connection that it closes just as we write
    # costs a write whose answer is lost.
    keepalive_expiry=15,
)

# At DEBUG, httpcore logs the headers of every response, and IAM's carry the token.
logging.getLogger("httpcore.http11").setLevel(logging.INFO)


def open_http(timeout: httpx.Timeout = TIMEOUT) -> httpx.AsyncClient:
    """Open a client that sends every request once, straight to where it is addressed.

    It follows no redirect and reads no proxy from the environment, so credentials go nowhere
    else, and it has no retries: whether a write may be repeated is not decided down here.
    """
    transport = httpx.AsyncHTTPTransport(http2=False, retries=0, limits=LIMITS, trust_env=False)
    return httpx.AsyncClient(
        transport=transport,
        timeout=timeout,
        trust_env=False,
        follow_redirects=False,
        headers={"Accept": "application/json", "User-Agent": "secmaster-bot"},
    )
