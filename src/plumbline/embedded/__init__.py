"""Embedded PostgreSQL and the process supervisor, so that one command runs all (内嵌数据库与进程看护)."""
