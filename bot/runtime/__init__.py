"""Tools of the process: time, timeouts, background tasks, shared runs, cached lookups.

Knows neither Slack nor SecMaster nor a database.
"""
