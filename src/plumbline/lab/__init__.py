"""The institution's own testing software (检测管理软件): its records, its keys, its reports."""
