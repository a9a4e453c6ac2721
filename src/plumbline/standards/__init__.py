"""The clause register and the matrix clause → rule → test → page (条文登记与对照表)."""
