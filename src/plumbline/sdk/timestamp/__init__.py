"""RFC 3161 time stamps (时间戳): asking for one, and checking one against the reader's own list of authorities."""
