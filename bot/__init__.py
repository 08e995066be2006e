"""Run Huawei Cloud SecMaster from Slack.

An action somebody takes in Slack becomes a durable operation on SecMaster, and every card is
drawn from what SecMaster says, never from what we hoped.
"""

__version__ = "0.1.0"
