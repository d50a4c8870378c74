"""The relation interfaces between this project's charms: one module for each.

A module holds the schema of each databag and secret, a `Provider` and a `Requirer`. These observe
no events and set no status: a charm asks `get()` in its reconcile and calls `publish()` there.
"""
