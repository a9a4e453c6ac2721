"""Accounts of both web products (账号): who may sign in, and how that is proven."""
