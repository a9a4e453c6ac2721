"""Migrations of the accounts (账号表的迁移)."""
