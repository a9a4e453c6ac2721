"""Tension test of steel bars, GB/T 28900 with the limits of GB/T 1499.2 (钢筋拉伸)."""
