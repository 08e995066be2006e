"""The values that cross between rooms: actions, operations, approvals, cards, notifications.

Frozen and free of side effects, but for ``workspaces``, which holds the clients. Knows no database,
no Slack client and no framework.
"""
