"""Client of the data exchange (数据交换客户端): signs, sends, retries, resumes files and keeps receipts."""

from __future__ import annotations

from plumbline.sdk.client.batches import Outgoing
from plumbline.sdk.client.client import Client, Sent
from plumbline.sdk.client.problems import Refused, Unreachable
from plumbline.sdk.client.receipts import ReceiptBook, ReceiptStore
from plumbline.sdk.client.sent import SentBook
from plumbline.sdk.client.stamp import stamp

__all__ = [
    "Client",
    "Outgoing",
    "ReceiptBook",
    "ReceiptStore",
    "Refused",
    "Sent",
    "SentBook",
    "Unreachable",
    "stamp",
]
