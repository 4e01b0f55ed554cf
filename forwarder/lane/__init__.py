"""The synchronous core of a sender: what one account's queue does next."""
