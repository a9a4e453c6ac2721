"""The parts of the tamper drill (篡改演练): what is changed, who must find it, and the history that is written anew."""

from __future__ import annotations
