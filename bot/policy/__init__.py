"""The policy file and its answers: who may do what, and where cards are posted.

Pure: knows no clock, no database and no client.
"""
