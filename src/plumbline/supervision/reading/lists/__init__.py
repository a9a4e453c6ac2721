"""Record lists and search (名录与查询): one declaration a kind, one way to read them all."""
