"""What operators see: logs, metrics, probes, the status page."""
