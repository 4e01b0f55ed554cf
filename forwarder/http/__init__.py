"""Sending one HTTP request: the port, the aiohttp client, and an in-memory one."""
