"""A whole deployment in one process: replicas, Kafka and vendors on one loop with made-up time.

Everything is drawn from a seed: settings, events, faults, delays. ``world.run(seed)`` plays it and
tells what became of the promises; the same seed plays the same way again.
"""
