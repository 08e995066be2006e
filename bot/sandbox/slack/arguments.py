"""The arguments that Slack documents for each method, and for answers outside the Web API.

Slack ignores any other, so that a misspelt one has no effect and is noticed by nobody. Here it is
ignored as well, and remembered.

https://docs.slack.dev/reference/methods
"""

from collections.abc import Iterable

from bot.sandbox.slack.workspace import Workspace

PAGE = "cursor limit"
MESSAGES = f"channel {PAGE} include_all_metadata inclusive latest oldest"
CHANNELS = f"{PAGE} exclude_archived team_id types"
SENT = "as_user attachments blocks channel link_names markdown_text parse text"
SENDER = "icon_emoji icon_url username"
ARGUMENTS = {
    "apps.connections.open": "",
    "auth.test": "",
    "blocks.validate": "blocks message view",
    "bots.info": "bot team_id",
    "chat.delete": "as_user channel ts",
    "chat.getPermalink": "channel message_ts",
    "chat.postEphemeral": f"{SENT} {SENDER} thread_ts user",
    "chat.postMessage": (
        f"{SENT} {SENDER} metadata mrkdwn reply_broadcast thread_ts unfurl_links unfurl_media"
    ),
    "chat.unfurl": (
        "channel metadata source ts unfurl_id unfurls "
        "user_auth_blocks user_auth_message user_auth_required user_auth_url"
    ),
    "chat.update": f"{SENT} file_ids metadata reply_broadcast ts",
    "conversations.history": MESSAGES,
    "conversations.info": "channel include_locale include_num_members",
    "conversations.join": "channel",
    "conversations.list": CHANNELS,
    "conversations.members": f"channel {PAGE}",
    "conversations.open": "channel prevent_creation return_im users",
    "conversations.replies": f"{MESSAGES} ts",
    "files.completeUploadExternal": "blocks channel_id channels files initial_comment thread_ts",
    "files.delete": "file",
    "files.getUploadURLExternal": "alt_txt filename length snippet_type",
    "files.info": f"count file page {PAGE}",
    "reactions.add": "channel name timestamp",
    "usergroups.list": "include_count include_disabled include_users team_id",
    "usergroups.users.list": "include_disabled team_id usergroup",
    "users.conversations": f"{CHANNELS} user",
    "users.info": "include_locale user",
    "users.list": f"{PAGE} include_locale team_id",
    "views.open": "interactivity_pointer trigger_id view",
    "views.publish": "hash user_id view",
    "views.push": "interactivity_pointer trigger_id view",
    "views.update": "external_id hash view view_id",
    # Outside the Web API: a response_url's body and a command's, and a submission's.
    "response": (
        "attachments blocks delete_original link_names metadata mrkdwn parse replace_original "
        "response_type text thread_ts unfurl_links unfurl_media"
    ),
    "response_action": "errors response_action view",
}


def note_unknown(workspace: Workspace, name: str, arguments: Iterable[str]) -> None:
    """Remember the arguments that Slack does not document for a method.

    `api.test` takes any, and what is no method has none.
    """
    if name in ARGUMENTS:
        unknown = sorted(set(arguments) - set(ARGUMENTS[name].split()))
        workspace.unknown_arguments += [f"{name}: {argument}" for argument in unknown]
