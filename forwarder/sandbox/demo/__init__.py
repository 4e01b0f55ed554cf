"""``forwarder demo``: broker, vendors, a shop and the worker in one process, and a table that must
balance at the end.
"""
