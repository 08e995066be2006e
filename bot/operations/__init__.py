"""One action from its record to its thread: authorized, written once, reported once.

Knows DBOS, and the order of the steps. Knows no listener and no way in.
"""
