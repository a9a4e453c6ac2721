"""Administration of accounts and roles by three administrators (账号管理), and the audit trail that they cannot change."""
