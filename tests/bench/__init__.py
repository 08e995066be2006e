"""How fast the bot is: acknowledgement, click to thread, operations per second.

Three programs are measured in one run: our bot, and two bare Bolt apps that make the same calls
but record nothing. Three kinds of process take part, so that none distorts another's clock: the
bench itself with both sandboxes, the clicker that plays Slack, and the program under test.
"""
