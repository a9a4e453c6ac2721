"""Rules of the sample on its way to the test: times, windows, tags (样品流转)."""
