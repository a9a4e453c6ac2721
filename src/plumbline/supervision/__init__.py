"""检测监管软件: the authority's product; processes gateway, web, projector and worker over one journal."""

from __future__ import annotations
