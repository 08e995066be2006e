"""The command line: one module a command, and the work behind it.

Knows how to start the bot, its checks and the local stand-ins. Nothing in the bot knows it.
"""
