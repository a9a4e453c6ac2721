"""What other vendors import (开发包): the exchange client, the report bundle and the strict examination of
report PDFs."""

from __future__ import annotations
