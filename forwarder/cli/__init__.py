"""The commands: thin, each in a module of its own. ``main`` registers them."""
