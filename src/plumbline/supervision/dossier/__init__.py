"""The report bundle as the platform hands it out (报告包的出具): collected from facts and journal, with fresh receipts."""
