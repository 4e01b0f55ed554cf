"""Forward first-party conversion events from Kafka to ad platforms."""
