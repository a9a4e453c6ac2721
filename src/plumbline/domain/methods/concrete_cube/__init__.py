"""Compressive strength of concrete cubes, GB/T 50081 (混凝土立方体抗压强度)."""
