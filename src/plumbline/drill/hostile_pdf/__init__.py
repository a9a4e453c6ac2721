"""Hostile PDF files (恶意 PDF), made from a seed: what is known of attacks on signed documents, held against both verdicts."""
