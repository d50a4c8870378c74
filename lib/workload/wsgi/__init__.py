"""APIs whose policy is loaded before their threads ask for it.

Keystone, Neutron and Cinder load it at the first request, and show it to other threads before it
has any rule: of the requests that come in that moment some are refused, or find nothing in a
list, though they are allowed. Nova had the same defect (nova.policy.init has a lock against it
now). After a fault the moment is always met: every service is waiting for Keystone to check a
token.
"""
