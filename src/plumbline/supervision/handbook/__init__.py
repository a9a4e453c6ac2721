"""《检测数据上传指导手册》 for print (手册 PDF): the same chapters as the page, set with our own fonts."""

from __future__ import annotations

from plumbline.supervision.handbook.typesetting import manual_pdf

__all__ = ["manual_pdf"]
