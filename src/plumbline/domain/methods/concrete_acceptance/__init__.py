"""Acceptance of concrete strength by inspection lots, GB/T 50107 (混凝土强度检验评定)."""
