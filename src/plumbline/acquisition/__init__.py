"""Data acquisition: recordings, the simulated press and live presses (数据自动采集系统)."""
