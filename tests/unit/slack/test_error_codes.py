"""Each error code that Slack publishes for a method of ours has a kind, and exactly one."""

from collections import Counter

import pytest

from bot.slack.error_codes import CODES, KINDS, TRIGGER_GONE, SlackErrorKind, kind_of, may_pass

# The errors of each method that we call, as https://docs.slack.dev/reference/methods has them.
PUBLISHED = {
    "every method": """
        access_denied accesslimited account_inactive deprecated_endpoint ekm_access_denied
        enterprise_is_restricted fatal_error internal_error invalid_arg_name invalid_arguments
        invalid_array_arg invalid_auth invalid_charset invalid_form_data invalid_post_type is_bot
        method_deprecated missing_post_type missing_scope no_permission not_allowed_token_type
        not_authed org_login_required ratelimited request_timeout service_unavailable
        team_access_not_granted team_added_to_org token_expired token_revoked
        two_factor_setup_required unknown_method""",
    "chat.postMessage": """
        app_access_restricted as_user_not_supported attachment_payload_limit_exceeded
        cannot_reply_to_message channel_not_found draft_already_deleted draft_already_sent
        draft_has_conflict draft_not_found duplicate_channel_not_found duplicate_message_not_found
        invalid_blocks invalid_blocks_format invalid_metadata_format invalid_metadata_schema
        is_archived markdown_text_conflict message_limit_exceeded messages_tab_disabled
        metadata_must_be_sent_from_app metadata_too_large missing_file_data msg_blocks_too_long
        msg_too_long no_text not_in_channel rate_limited restricted_action
        restricted_action_non_threadable_channel restricted_action_read_only_channel
        restricted_action_thread_locked restricted_action_thread_only_channel
        send_on_behalf_not_allowed slack_connect_canvas_sharing_blocked
        slack_connect_file_link_sharing_blocked slack_connect_lists_sharing_blocked team_not_found
        too_many_attachments too_many_contact_cards""",
    "chat.update": """
        as_user_not_supported block_mismatch blocked_file_type cant_broadcast_message
        cant_update_message channel_not_found edit_window_closed external_channel_migrating
        file_deleted file_is_deleted file_not_found file_share_limit_reached invalid_attachments
        invalid_blocks invalid_blocks_format invalid_metadata_format invalid_metadata_schema
        is_inactive markdown_text_conflict max_file_sharing_exceeded message_limit_exceeded
        message_not_found metadata_must_be_sent_from_app metadata_too_large msg_too_long
        no_dual_broadcast_content_update no_text posting_to_channel_denied
        slack_connect_blocked_file_type slack_connect_canvas_sharing_blocked
        slack_connect_clip_sharing_blocked slack_connect_file_link_sharing_blocked
        slack_connect_file_upload_sharing_blocked streaming_state_conflict team_not_found
        too_many_attachments unable_to_share_files update_failed""",
    "chat.postEphemeral": """
        cannot_reply_to_message channel_not_found invalid_attachments invalid_blocks
        invalid_blocks_format is_archived markdown_text_conflict message_limit_exceeded
        messages_tab_disabled msg_too_long no_text not_in_channel restricted_action
        too_many_attachments user_not_in_channel""",
    "conversations.open": """
        channel_not_found invalid_user_combination method_not_supported_for_channel_type
        not_enough_users too_many_users user_disabled user_not_found user_not_visible
        users_list_not_supplied""",
    "conversations.replies": """
        channel_not_found invalid_cursor invalid_metadata_filter_keys invalid_ts_latest
        invalid_ts_oldest list_record_comment_fetch_failed method_not_supported_for_channel_type
        thread_not_found""",
    "conversations.history": """
        channel_is_limited_access channel_not_found invalid_cursor invalid_metadata_filter_keys
        invalid_ts_latest invalid_ts_oldest not_in_channel""",
    "conversations.info": "channel_is_limited_access channel_not_found",
    "conversations.members": """
        channel_not_found fetch_members_failed invalid_cursor invalid_limit
        method_not_supported_for_channel_type""",
    "files.info": """
        canvas_disabled_file_team canvas_disabled_user_team canvas_globally_disabled file_deleted
        file_not_found not_visible slack_connect_canvas_sharing_blocked template_not_visible""",
    "files.getUploadURLExternal": """
        alt_txt_too_large file_type_not_allowed file_upload_size_restricted file_uploads_disabled
        file_uploads_except_images_disabled missing_argument snippet_too_large
        storage_limit_reached unknown_snippet_type unknown_subtype""",
    "files.completeUploadExternal": """
        channel_not_found channels_limit_exceeded file_not_found file_type_not_allowed
        file_update_failed file_uploads_except_images_disabled invalid_blocks invalid_channel
        not_in_channel posting_to_channel_denied""",
    "files.upload": """
        blocked_file_type invalid_channel invalid_thread_ts malware_detected not_in_channel
        post_contents_too_large posting_to_general_channel_denied slack_connect_blocked_file_type
        slack_connect_clip_sharing_blocked slack_connect_file_upload_sharing_blocked""",
    "views.open": """
        duplicate_external_id exchanged_trigger_id expired_trigger_id invalid_trigger_id
        view_too_large""",
    "views.update": "duplicate_external_id hash_conflict not_found view_too_large",
    "views.publish": """
        duplicate_external_id hash_conflict missing_profile_id not_enabled not_implemented
        view_too_large""",
    "views.push": """
        duplicate_external_id exchanged_trigger_id expired_trigger_id invalid_trigger_id not_found
        push_limit_reached view_too_large""",
    "users.info": "too_many_users user_not_found user_not_visible",
    "users.list": "invalid_cursor limit_required missing_argument",
    "usergroups.list": "invalid_team missing_argument plan_upgrade_required users_not_found",
    "usergroups.users.list": "no_such_subteam plan_upgrade_required",
}


@pytest.mark.parametrize("method", PUBLISHED)
def test_each_published_code_of_a_method_has_a_kind(method: str) -> None:
    assert [code for code in PUBLISHED[method].split() if code not in KINDS] == []


def test_no_code_has_two_kinds() -> None:
    counts = Counter(code for codes in CODES.values() for code in codes)
    assert {code for code, count in counts.items() if count > 1} == set()
    assert CODES.keys() == set(SlackErrorKind)


def test_a_code_that_slack_does_not_publish_is_taken_to_pass() -> None:
    assert kind_of("a_code_of_tomorrow") is SlackErrorKind.PASSES


def test_only_trouble_and_a_refused_token_may_pass() -> None:
    passing = {kind for kind in SlackErrorKind if may_pass(kind)}
    assert passing == {SlackErrorKind.PASSES, SlackErrorKind.TOKEN_REFUSED}


def test_a_trigger_that_is_gone_is_no_trouble_that_passes() -> None:
    assert {kind_of(code) for code in TRIGGER_GONE} == {SlackErrorKind.CALL_REFUSED}
