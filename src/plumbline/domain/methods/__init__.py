"""Test methods: one folder per method, each computes again what an institution reported (检测方法)."""
