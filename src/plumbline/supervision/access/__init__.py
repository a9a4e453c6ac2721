"""Who acts, and what they may see (身份与范围): principals, the rule that every view declares, scopes."""
