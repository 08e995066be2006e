"""What the bot posts by itself: planned from routes and times, posted once, in order.

Knows the outbox and Slack's pace. Does not know how objects become known.
"""
