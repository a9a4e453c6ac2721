"""The rules of testing supervision as pure functions over plain values (领域规则)."""
