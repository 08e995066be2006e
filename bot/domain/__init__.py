"""The values that cross between rooms: actions, operations, approvals, cards, notifications.

Frozen and free of side effects. Knows SecMaster's values, and no client, database or framework.
"""
