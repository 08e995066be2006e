"""Everything that talks to Slack: messages, cards, people and groups, the app's manifest.

Knows Slack's Web API and its errors. Knows no operation's course and no listener.
"""
