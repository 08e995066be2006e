"""What each of Slack's error codes means for whoever called: to wait, to go elsewhere, or to stop.

The codes are those that Slack publishes for the methods that we call, and a few more that it
answers all the same: https://docs.slack.dev/reference/methods. Knows no call and no answer.
"""

from enum import StrEnum
from typing import assert_never


class SlackErrorKind(StrEnum):
    """What a refusal of Slack's is about."""

    PASSES = "passes"  # trouble of the moment
    TOKEN_REFUSED = "token refused"  # noqa: S105 - no call is answered until it is taken again
    PLACE_CLOSED = "place closed"  # this channel or person can't be written to
    MESSAGE_GONE = "message gone"  # a message, or the one that a thread hangs on, is not there
    THREAD_CLOSED = "thread closed"  # the message stands, and takes no replies
    MESSAGE_REFUSED = "message refused"  # what we sent: a simpler message may be taken
    SCOPE_MISSING = "scope missing"  # the app was installed without a scope
    CALL_REFUSED = "call refused"  # this one call, however often it is made


CODES: dict[SlackErrorKind, frozenset[str]] = {
    SlackErrorKind.PASSES: frozenset(
        {
            "",  # an answer that could not be read
            "external_channel_migrating",
            "fatal_error",
            "fetch_members_failed",
            "file_update_failed",
            "internal_error",
            "list_record_comment_fetch_failed",
            "message_limit_exceeded",  # "too many messages" of everybody's in the workspace
            "rate_limited",
            "ratelimited",
            "request_timeout",  # what we sent was cut off on its way
            "service_unavailable",
            "streaming_state_conflict",
            "unable_to_share_files",
            "update_failed",
        }
    ),
    SlackErrorKind.TOKEN_REFUSED: frozenset(
        {
            "account_inactive",
            "accesslimited",  # by the list of networks from which the token may be used
            "invalid_auth",
            "not_authed",
            # The whole workspace is away while it moves into an organisation.
            "org_login_required",
            "team_added_to_org",
            "team_access_not_granted",  # the organisation took the app out of a workspace
            "token_expired",
            "token_revoked",
            "two_factor_setup_required",
        }
    ),
    SlackErrorKind.PLACE_CLOSED: frozenset(
        {
            "access_denied",  # to what the request names: our requests name a channel or a person
            "app_access_restricted",
            "cannot_dm_bot",
            "channel_is_limited_access",
            "channel_not_found",
            "channel_type_not_supported",
            "ekm_access_denied",  # an organisation revokes its keys for a channel as well
            "invalid_channel",
            "invalid_user_combination",
            "is_archived",
            "is_inactive",
            "messages_tab_disabled",  # of the app: then nobody has direct messages with it
            "no_permission",  # "make sure your app is a member of the conversation"
            "not_in_channel",
            "posting_to_channel_denied",
            "posting_to_general_channel_denied",
            "restricted_action",
            "restricted_action_read_only_channel",
            "restricted_action_thread_only_channel",  # a card is no reply
            "team_not_found",
            "user_disabled",
            "user_not_found",
            "user_not_in_channel",
            "user_not_visible",
            "workspace_closed",  # ours: of OF_A_WORKSPACE, while the token is taken elsewhere
        }
    ),
    SlackErrorKind.MESSAGE_GONE: frozenset(
        {
            "message_not_found",
            "thread_not_found",
        }
    ),
    SlackErrorKind.THREAD_CLOSED: frozenset(
        {
            "cannot_reply_to_message",
            "invalid_thread_ts",
            "restricted_action_non_threadable_channel",
            "restricted_action_thread_locked",
        }
    ),
    SlackErrorKind.MESSAGE_REFUSED: frozenset(
        {
            "attachment_payload_limit_exceeded",
            "block_mismatch",
            "invalid_attachments",
            "invalid_blocks",
            "invalid_blocks_format",
            "invalid_metadata_format",
            "invalid_metadata_schema",
            "markdown_text_conflict",
            "metadata_must_be_sent_from_app",
            "metadata_too_large",
            "msg_blocks_too_long",
            "msg_too_long",
            "no_text",
            "slack_connect_canvas_sharing_blocked",  # links to those of Slack's own objects
            "slack_connect_file_link_sharing_blocked",
            "slack_connect_lists_sharing_blocked",
            "too_many_attachments",
            "too_many_contact_cards",
        }
    ),
    SlackErrorKind.SCOPE_MISSING: frozenset({"missing_scope"}),
    SlackErrorKind.CALL_REFUSED: frozenset(
        {
            # What is asked for is not there, or no longer.
            "file_deleted",
            "file_is_deleted",
            "file_not_found",
            "no_such_subteam",
            "not_found",
            "not_visible",
            "template_not_visible",
            "users_not_found",
            # The message stands as it is.
            "cant_update_message",
            "edit_window_closed",
            # Somebody was faster, or too slow.
            "exchanged_trigger_id",
            "expired_trigger_id",
            "hash_conflict",
            "invalid_trigger_id",
            "trigger_exchanged",
            # What the workspace does not have, or does not allow: the card's short form has to do.
            "blocked_file_type",
            "canvas_disabled_file_team",
            "canvas_disabled_user_team",
            "canvas_globally_disabled",
            "file_share_limit_reached",
            "file_type_not_allowed",
            "file_upload_size_restricted",
            "file_uploads_disabled",
            "file_uploads_except_images_disabled",
            "malware_detected",
            "max_file_sharing_exceeded",
            "not_enabled",
            "not_implemented",
            "plan_upgrade_required",
            "slack_connect_blocked_file_type",
            "slack_connect_clip_sharing_blocked",
            "slack_connect_file_upload_sharing_blocked",
            "storage_limit_reached",
            # A mistake of ours in the call, which another call need not share.
            "alt_txt_too_large",
            "as_user_not_supported",
            "cant_broadcast_message",
            "channels_limit_exceeded",
            "deprecated_endpoint",
            "draft_already_deleted",
            "draft_already_sent",
            "draft_has_conflict",
            "draft_not_found",
            "duplicate_channel_not_found",
            "duplicate_external_id",
            "duplicate_message_not_found",
            "enterprise_is_restricted",
            "forbidden_team",
            "invalid_app_id",
            "invalid_arg_name",
            "invalid_arguments",
            "invalid_array_arg",
            "invalid_charset",
            "invalid_cursor",
            "invalid_form_data",
            "invalid_json",
            "invalid_limit",
            "invalid_metadata_filter_keys",
            "invalid_post_type",
            "invalid_team",
            "invalid_ts_latest",
            "invalid_ts_oldest",
            "is_bot",
            "json_not_object",
            "limit_required",
            "method_deprecated",
            "method_not_supported_for_channel_type",
            "missing_argument",
            "missing_file_data",
            "missing_post_type",
            "missing_profile_id",
            "no_dual_broadcast_content_update",
            "not_allowed_token_type",
            "not_enough_users",
            "post_contents_too_large",
            "push_limit_reached",
            "send_on_behalf_not_allowed",
            "snippet_too_large",
            "too_many_users",
            "unknown_method",
            "unknown_snippet_type",
            "unknown_subtype",
            "users_list_not_supplied",
            "view_too_large",
        }
    ),
}
KINDS = {code: kind for kind, codes in CODES.items() for code in codes}

# A trigger_id lives three seconds and opens one form.
TRIGGER_GONE = frozenset(
    {"exchanged_trigger_id", "expired_trigger_id", "invalid_trigger_id", "trigger_exchanged"}
)
# They are about the one workspace that a call names, unless auth.test is refused as well.
OF_A_WORKSPACE = frozenset({"org_login_required", "team_access_not_granted", "team_added_to_org"})
WORKSPACE_CLOSED = "workspace_closed"
MESSAGE_DELETED = "message_not_found"
NO_SUCH_GROUP = "no_such_subteam"
NO_SUCH_USER = frozenset({"user_not_found", "user_not_visible"})
VIEW_GONE = "not_found"


def is_known(code: str) -> bool:
    """Return whether the table has this code."""
    return code in KINDS


def kind_of(code: str) -> SlackErrorKind:
    """Return the kind of an error code; one that the table does not have is taken to pass."""
    return KINDS.get(code, SlackErrorKind.PASSES)


def is_of_place(code: str) -> bool:
    """Return whether a refusal is about what was asked for, and says nothing of anything else."""
    return kind_of(code) in {SlackErrorKind.PLACE_CLOSED, SlackErrorKind.CALL_REFUSED}


def may_pass(kind: SlackErrorKind) -> bool:
    """Return whether the same call may be answered later, with nothing changed on our side."""
    match kind:
        case SlackErrorKind.PASSES | SlackErrorKind.TOKEN_REFUSED:
            return True
        case (
            SlackErrorKind.PLACE_CLOSED
            | SlackErrorKind.MESSAGE_GONE
            | SlackErrorKind.THREAD_CLOSED
            | SlackErrorKind.MESSAGE_REFUSED
            | SlackErrorKind.SCOPE_MISSING
            | SlackErrorKind.CALL_REFUSED
        ):
            return False
        case _:
            assert_never(kind)
