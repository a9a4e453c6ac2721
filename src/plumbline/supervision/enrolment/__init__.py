"""How a party gets its keys (密钥登记): application, sandbox, production, rotation, revocation."""
