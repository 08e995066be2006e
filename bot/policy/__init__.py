"""The policy file and the answers it gives: who may do what, and where cards go.

Pure: knows no clock, no database and no client.
"""
