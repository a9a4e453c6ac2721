"""Ports of this machine: is one taken, and which is free (端口)."""

from __future__ import annotations

import errno
import socket

from plumbline.embedded.problems import ProcessProblem


def port_in_use(host: str, port: int) -> bool:
    """True when another process listens on this address and port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers bind: a connection in TIME_WAIT does not count, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now (another process may take it before you do)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def require_free_port(host: str, port: int) -> None:
    """Refuse a port in use with the sentence that the user reads (`ProcessProblem`)."""
    if port_in_use(host, port):
        raise ProcessProblem(
            f"端口 {port}（{host}）已被别的程序占用，请停止该程序，或用 --port 指定别的端口。",
            f"Port {port} on {host} is in use by another program; stop it, or choose another with --port.",
        )
