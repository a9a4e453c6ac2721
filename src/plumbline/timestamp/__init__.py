"""A small time-stamp authority (时间戳机构), RFC 3161 over HTTP. Run by the platform's operator it is the operator's own word."""
