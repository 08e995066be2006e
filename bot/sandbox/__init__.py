"""A local SecMaster and a local Slack over real HTTP and websockets.

They stand in for the two services in the demo and in the tests. They know each other's
rules, not ours: nothing here imports the rest of ``bot``.
"""
