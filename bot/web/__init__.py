"""The two ways in for Slack (HTTP, Socket Mode), and what is answered about our health.

Knows bytes, signatures and connections, and nothing of what a request means.
"""
