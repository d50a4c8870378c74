"""One-off jobs: apps of the snap without a daemon, run by charms.

They run in the environment of OpenStack, read rendered configuration only, and may be run again.
"""
