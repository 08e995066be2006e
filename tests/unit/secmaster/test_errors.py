"""Which error a response is, or the lack of one."""

import html
import json
import pickle
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.network import Proxy, Route
from bot.secmaster import (
    AnswerLost,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotRouted,
    Refused,
    SecMasterError,
    Unavailable,
    Unreachable,
    Unreadable,
    WriteEffect,
)
from bot.secmaster.replies import IAM, SECMASTER, broken, complaint, read, retry_after

REQUEST = httpx.Request("PUT", "https://secmaster.example/x")

NOTHING_WAS_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"} | {
    "UnsupportedProtocol"
}

HTML = b"<html><body><h1>Bad Gateway</h1></body></html>"


def family(kind: type[Any]) -> set[type[Any]]:
    return {kind}.union(*(family(child) for child in kind.__subclasses__()))


def http_response(
    body: object, status: int = 200, request: httpx.Request = REQUEST, **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    header_fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=content, headers=header_fields, request=request)


def error_of(response: httpx.Response, *args: Any, **kwargs: Any) -> SecMasterError:
    with pytest.raises(SecMasterError) as caught:
        read(response, *args, **kwargs)
    return caught.value


@pytest.mark.parametrize("kind", sorted(family(httpx.TransportError), key=repr))
def test_every_broken_exchange_of_httpx_has_its_error(kind: type[Any]) -> None:
    error = broken(kind("secret words"))
    sent = kind.__name__ not in NOTHING_WAS_SENT
    assert type(error) is (AnswerLost if sent else Unreachable)
    assert error.in_doubt is sent
    assert "secret" not in str(error)


def test_an_answer_that_cannot_be_decoded_is_lost() -> None:
    assert type(broken(httpx.DecodingError("bad gzip"))) is AnswerLost


def test_a_url_that_cannot_be_asked_reached_nobody() -> None:
    assert type(broken(httpx.InvalidURL("no"))) is Unreachable


@pytest.mark.parametrize("kind", sorted(family(SecMasterError), key=repr))
def test_every_error_survives_being_stored(kind: type[Any]) -> None:
    error = kind("words", code="C.1", status=503, request_id="r1", unsent=True)
    if isinstance(error, Unavailable):
        error.retry_after = 7.0
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert vars(copy) == vars(error)
    assert str(copy) == "words"


@pytest.mark.parametrize(
    ("status", "kind", "in_doubt"),
    [
        (400, Invalid, False),
        (401, Forbidden, False),
        (403, Forbidden, False),
        (409, Conflict, False),
        (410, Refused, False),
        (422, Invalid, False),
        (429, Unavailable, False),
        (500, Unavailable, True),
        (502, Unavailable, True),
        (503, Unavailable, True),
        (302, Unreadable, True),
    ],
)
@pytest.mark.parametrize("body", [HTML, b"", {"code": "C", "message": "no"}])
def test_a_status_has_its_error_whatever_the_body(
    status: int, kind: type[Any], in_doubt: bool, body: object
) -> None:
    error = error_of(http_response(body, status))
    assert type(error) is kind
    assert error.in_doubt is in_doubt
    assert error.status == status
    assert "<" not in str(error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("SecMaster.20010004", NotFound),
        ("APIGW.0101", NotRouted),
        ("APIGW.0103", NotRouted),
        ("APIG.0101", NotRouted),
        ("", NotRouted),
    ],
)
def test_a_404_is_believed_only_where_the_service_says_so(code: str, kind: type[Any]) -> None:
    assert type(error_of(http_response({"code": code, "message": "no"}, 404))) is kind


@pytest.mark.parametrize("body", [HTML, b"", {"error_msg": "no"}])
def test_a_404_without_a_code_is_not_the_services(body: object) -> None:
    assert type(error_of(http_response(body, 404))) is NotRouted


@pytest.mark.parametrize(
    ("status", "code", "effect"),
    [
        (400, "APIGW.0201", WriteEffect.NONE),
        (401, "APIGW.0301", WriteEffect.NONE),
        (404, "APIGW.0101", WriteEffect.NONE),
        (413, "APIGW.0201", WriteEffect.NONE),
        (429, "APIGW.0308", WriteEffect.NONE),
        (502, "APIGW.0201", WriteEffect.UNREACHED),
        (502, "", WriteEffect.POSSIBLE),
        (503, "", WriteEffect.POSSIBLE),
        (504, "APIGW.0201", WriteEffect.POSSIBLE),
        (500, "SecMaster.1", WriteEffect.POSSIBLE),
        (302, "", WriteEffect.POSSIBLE),
    ],
)
def test_what_an_answer_proves_about_a_write(status: int, code: str, effect: WriteEffect) -> None:
    error = error_of(http_response({"error_code": code, "error_msg": "no"}, status))
    assert error.write_effect is effect
    assert error.in_doubt is (effect is not WriteEffect.NONE)


@pytest.mark.parametrize(
    "body",
    [
        {"code": "SecMaster.1", "message": "task is finished"},
        {"error_code": "SecMaster.1", "error_msg": "task is finished"},
        {"errorCode": "SecMaster.1", "errorMsg": "task is finished"},
        {"error": {"code": "SecMaster.1", "message": "task is finished"}},
    ],
)
def test_code_and_message_are_found_in_every_shape(body: object) -> None:
    error = error_of(http_response(body, 409, X_Request_Id="r-1"))
    assert (error.code, error.message, error.request_id) == (
        "SecMaster.1",
        "task is finished",
        "r-1",
    )


@pytest.mark.parametrize(
    "body", [[], ["x"], "no", 7, None, {"code": [], "message": {}}, {"error": []}]
)
def test_an_error_body_in_no_known_shape_still_gives_a_sentence(body: object) -> None:
    error = error_of(http_response(body, 400))
    assert (error.code, str(error)) == ("", "SecMaster answered 400 without saying why")


def test_iams_numbers_are_read_as_codes() -> None:
    assert complaint({"error": {"code": 401, "message": "wrong"}}) == ("401", "wrong")


@given(
    st.dictionaries(
        st.sampled_from(["code", "message", "error", "error_msg"]), st.text() | st.none()
    )
)
def test_reading_a_complaint_never_fails(fields: dict[str, Any]) -> None:
    assert all(isinstance(part, str) for part in complaint(fields))


@pytest.mark.parametrize(
    "body",
    [
        {"code": "SecMaster.7", "message": "no", "success": True},
        {"code": "SecMaster.7", "message": "no"},
        {"code": "00000000", "message": "no", "success": False},
        {"error_code": "APIGW.1", "error_msg": "no"},
    ],
)
def test_a_200_that_says_it_failed_is_a_refusal(body: object) -> None:
    error = error_of(http_response(body))
    assert type(error) is Refused
    assert (error.status, error.message, error.in_doubt) == (200, "no", False)


@pytest.mark.parametrize("body", [HTML, b"", b"{", b"\xff\xfe\xfd", b"[" * 200_000, [], "text", 3])
def test_a_200_that_is_no_object_is_unreadable(body: object) -> None:
    error = error_of(http_response(body))
    assert type(error) is Unreadable
    assert error.in_doubt


def test_the_request_id_is_taken_from_the_body_when_no_header_has_it() -> None:
    assert error_of(http_response({"request_id": "b-1"}, 400)).request_id == "b-1"
    assert read(http_response({"request_id": "b-1"}, X_Request_Id="h-1")).request_id == "h-1"


def test_a_long_message_is_cut_with_a_visible_mark() -> None:
    message = error_of(http_response({"message": "x" * 9000}, 400)).message
    assert len(message) == 500
    assert message.endswith("…")


def test_a_message_is_one_line() -> None:
    assert str(error_of(http_response({"message": "a\n\tb\ud800"}, 400))) == "a b?"


def test_credentials_that_come_back_are_hidden() -> None:
    headers = {
        "Authorization": "SDK-HMAC-SHA256 Access=AKAK, SignedHeaders=host, Signature=5161",
        "X-Auth-Token": "TOKEN",
        "X-Security-Token": "SECURITY",
    }
    request = httpx.Request("GET", "https://secmaster.example", headers=headers)
    body = {"code": "TOKEN", "message": "ak AKAK sig 5161 token TOKEN and SECURITY, password pw"}
    error = error_of(http_response(body, 401, request, X_Request_Id="TOKEN"), secrets=["pw"])
    printed = f"{error!r} {vars(error)}"
    assert not [s for s in ("AKAK", "5161", "TOKEN", "SECURITY", " pw") if s in printed]


ODD_PASSWORD = 'Tr0ub4dor"& \\/~é🙂3'


@pytest.mark.parametrize(
    "quoted",
    [
        json.dumps(ODD_PASSWORD)[1:-1],
        json.dumps(ODD_PASSWORD, ensure_ascii=False).replace("/", "\\/")[1:-1],
        quote(ODD_PASSWORD),
        quote_plus(ODD_PASSWORD, safe="~"),
        re.sub("%..", lambda match: match[0].lower(), quote(ODD_PASSWORD, safe="")),
        html.escape(ODD_PASSWORD),
    ],
)
def test_a_secret_that_comes_back_escaped_is_hidden(quoted: str) -> None:
    body = {"error": {"message": f"malformed body: (password: {quoted})"}}
    error = error_of(http_response(body, 400), secrets=[ODD_PASSWORD])
    assert error.message == "malformed body: (password: [hidden])"


def test_a_secret_of_backslashes_is_looked_for_in_no_time() -> None:
    body = {"message": "\\" * 5000}
    assert error_of(http_response(body, 400), secrets=["\\" * 40 + "x"]).message


def test_what_the_proxy_gets_is_hidden_when_it_is_quoted() -> None:
    proxy = Proxy.parse("http://robot:s3cret@proxy.example:3128", "SECMASTER_PROXY")
    peer = SECMASTER.at("http://secmaster.example", Route(proxy))
    body = {"error_msg": f"denied: {proxy.authorization}, as in {proxy.authorization[6:]}"}
    error = error_of(http_response(body, 403), peer)
    assert error.message == "denied: Basic [hidden], as in [hidden]"


def test_trouble_with_iam_is_named_and_leaves_no_doubt_about_the_request() -> None:
    lost = broken(httpx.ReadTimeout("x"), IAM)
    down = error_of(http_response(HTML, 502), IAM)
    refused = error_of(
        http_response({"error": {"code": 401, "message": "wrong password"}}, 401), IAM
    )
    assert (type(lost), type(down), type(refused)) == (AnswerLost, Unavailable, Forbidden)
    assert [error.in_doubt for error in (lost, down, refused)] == [False, False, False]
    assert all("IAM" in str(error) for error in (lost, down, refused))


NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 12:01:00 -0000", 60.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("9" * 400, None),
        ("²", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text())
def test_reading_retry_after_never_fails(header: str) -> None:
    seconds = retry_after(header, NOW)
    assert seconds is None or seconds >= 0


def test_retry_after_is_on_the_error() -> None:
    throttled = error_of(http_response(b"", 429, Retry_After="3"))
    assert isinstance(throttled, Unavailable)
    assert throttled.retry_after == 3.0
    down = error_of(http_response(b"", 503))
    assert isinstance(down, Unavailable)
    assert down.retry_after is None
