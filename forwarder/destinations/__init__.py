"""The vendors. This package's registry is the only way to them."""
