"""The national algorithms SM2, SM3, SM4-GCM and HMAC-SM3 (国密算法), with two backends that must agree."""
