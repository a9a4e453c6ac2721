"""Rules of the report: supervision code, number series, code gate, verdict words (报告)."""
