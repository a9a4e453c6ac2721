"""Template tags of the web base (模板标签)."""
