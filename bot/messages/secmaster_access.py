"""Say to an operator why SecMaster can't be read, and which setting to look at."""

from typing import assert_never

from bot.secmaster import (
    Forbidden,
    Invalid,
    NotFound,
    NotRouted,
    Refused,
    SecMasterError,
    Unavailable,
    Unreachable,
    Unreadable,
)
from bot.settings import Settings, SignIn

UNAUTHENTICATED = 401
CLOCK = "this machine's clock, which may be 15 minutes off at most"


def access_problem(error: SecMasterError, settings: Settings) -> str:
    """Return what is wrong and what to do, with what Huawei's support asks for."""
    is_metadata = error.unsent and settings.sign_in is SignIn.AGENCY
    if isinstance(error, Unreachable) and not is_metadata:
        return str(error)  # about the network, and all there is
    problem = _source_problem(error, settings) if error.unsent else _problem(error, settings)
    return f"{problem} ({error_details(error)})"


def ends_soon(setting: str) -> str:
    """Say that a setting's credential ends within a day."""
    return (
        f"{setting} ends within a day and is not renewed: for more than a trial use an access key, "
        "a password or ECS_AGENCY"
    )


def _problem(error: SecMasterError, settings: Settings) -> str:
    """Return what is wrong where SecMaster was asked, or was to be."""
    match error:
        case Forbidden() if error.status == UNAUTHENTICATED:
            problem = f"refuses these credentials: check {_credential(settings)}"
        case Forbidden():
            problem = (
                "accepts these credentials and denies them this request: give their IAM user or "
                "agency the right to read SecMaster, or correct SECMASTER_PROJECT_ID"
            )
        case NotFound() | Invalid():
            problem = (
                "knows no such project or workspace: correct SECMASTER_PROJECT_ID and "
                "SECMASTER_WORKSPACE_ID"
            )
        case NotRouted() | Unreadable():
            problem = (
                "is not SecMaster's address, or something stands before it: check "
                "SECMASTER_REGION or SECMASTER_ENDPOINT"
            )
        case Refused():
            problem = "refuses to be read: report this to Huawei Cloud's support"
        case Unavailable():
            problem = "is in trouble: it should pass, and there is nothing to change here"
        case _:
            problem = "did not answer in time: look at the network, and at SecMaster itself"
    return f"{settings.endpoint} {problem}"


def _credential(settings: Settings) -> str:
    """Return what to check where a credential is refused."""
    match settings.sign_in:
        case SignIn.KEYS if settings.security_token:
            return (
                "whether HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and HUAWEICLOUD_SDK_SECURITY_TOKEN "
                f"have ended and are whole, and {CLOCK}"
            )
        case SignIn.KEYS:
            return (
                "whether HUAWEICLOUD_SDK_AK is active and HUAWEICLOUD_SDK_SK is its secret, "
                f"and {CLOCK}"
            )
        case SignIn.PASSWORD:
            return "that IAM_ENDPOINT is of the same cloud: IAM took the password"
        case SignIn.AGENCY:
            return f"the agency of this ECS, and {CLOCK}"
        case SignIn.TOKEN:
            return "SECMASTER_AUTH_TOKEN: it ends within a day, so put a new one there"
        case _:
            assert_never(settings.sign_in)


def _source_problem(error: SecMasterError, settings: Settings) -> str:
    """Return what is wrong where the credential is to be had from elsewhere first."""
    if settings.sign_in is SignIn.AGENCY:
        return (
            f"{settings.ecs_metadata_endpoint} gives no keys: ECS_AGENCY needs an ECS of Huawei "
            "Cloud that was given an agency, and a way to its metadata from where the bot runs"
        )
    match error:
        case Forbidden():
            return (
                f"{settings.iam} refuses this user: check IAM_USERNAME, IAM_PASSWORD, IAM_DOMAIN "
                "and SECMASTER_PROJECT_ID, and whether the password has ended"
            )
        case Unavailable():
            return f"{settings.iam} is in trouble: it should pass, and nothing is to change here"
        case _:
            return (
                f"{settings.iam} gives no token: check IAM_ENDPOINT or SECMASTER_REGION, and the "
                "network"
            )


def error_details(error: SecMasterError) -> str:
    """Return what Huawei's support asks for: status, code, message and the request's id."""
    status = str(error.status or "")
    parts = (
        f"{status} {error.code}".strip() if status not in error.message.split() else error.code,
        error.message,
        error.request_id and f"request {error.request_id}",
    )
    return ", ".join(filter(None, parts))
