"""What the commands do, a module for each kind; each command returns its exit code.

Only the command line imports them, one at a time: heavy imports stay inside the few that need them.
"""
