"""Judging a report PDF: its signature, and the sentence for the public (报告文件的验签与结论)."""
