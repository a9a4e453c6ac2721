"""The upload handbook (检测数据上传指导手册): schema, OpenAPI, examples and text, all generated from the
message types."""

from __future__ import annotations
