"""Whether a cloud is right: Tempest's tests and Rally's scenarios, run and reported.

It runs in the environment of `requirements/tempest.txt`, which is apart from OpenStack's own.
"""
