"""Planted frauds (植入的造假): one scenario file a pattern, and the code that plants it into a city's story."""
