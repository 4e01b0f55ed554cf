"""Strict simulators of the vendors, for tests, for the demo and for trying settings out.

They share no code with ``forwarder.destinations``: a rule misread there must not be misread here.
"""
