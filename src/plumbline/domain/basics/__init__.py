"""What every rule stands on: quantities, rounding, parameters, findings, identifiers, days (基础)."""
