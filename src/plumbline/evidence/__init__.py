"""The evidence log's formats and their verification, importable by anyone (证据日志的格式与核验)."""
