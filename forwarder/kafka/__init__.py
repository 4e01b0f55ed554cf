"""Kafka: the port, the aiokafka client (its only importer), and an in-memory log."""
