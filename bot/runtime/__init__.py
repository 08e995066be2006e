"""Small tools of the process: time, tasks in the background, calls that share their work.

Knows neither Slack nor SecMaster nor a database.
"""
