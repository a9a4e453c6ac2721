"""The supervision product's pages: view models, templates, views (监管端页面)."""
