"""The living demo city (演示城市): institutions, projects and people of a seed, their three months, planted frauds."""
