"""The report bundle (报告包): one report with its whole chain of evidence in one file, verifiable without the platform."""
