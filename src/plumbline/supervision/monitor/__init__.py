"""The pages of the exchange monitor (数据交换监控)."""
