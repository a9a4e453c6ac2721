"""The report as a document: printed, stamped and signed by the institution (检测报告的排版、盖章与签名)."""
