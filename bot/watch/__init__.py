"""What happens in SecMaster without us: its lists are read, and cards follow.

Knows SecMaster's lists and which replica leads. Knows no rule of the policy.
"""
