"""The embedded substrate: runs any ops charm on one host behind Juju's hook contract.

Knows applications, units, relations, databags, secrets, hooks and actions, and nothing of what
the charms operate.
"""
