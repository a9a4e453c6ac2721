"""Anchors in an EVM chain (上链): the contract, and checking an anchor against a node that the reader names."""
