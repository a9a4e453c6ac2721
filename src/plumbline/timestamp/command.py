"""`plumbline timestamp` (时间戳程序): set an authority up, run it, renew its certificate, ask how it is.

The command line builds its parser from this module, so the authority itself is imported when it is called.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

DEFAULT_PORT = 8732


def run_timestamp(arguments: argparse.Namespace) -> int:
    """0 when done, 1 when refused, 2 for wrong usage."""
    try:
        from plumbline.timestamp import authority as _  # noqa: F401
    except ImportError:
        print("本机没有安装时间戳部件，请安装 plumbline[server]。", file=sys.stderr)
        return 1
    from plumbline.evidence.note import NoteError
    from plumbline.timestamp.keys import AuthorityProblem

    folder = Path(arguments.folder).absolute()
    steps = {"init": _init, "serve": _serve, "renew": _renew, "status": _status}
    try:
        return steps[arguments.what](folder, arguments)
    except NoteError as error:
        print(f"名称不对，不能有空格和加号：{error}", file=sys.stderr)
        return 2
    except AuthorityProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"文件夹或端口用不了：{error}", file=sys.stderr)
        return 1


def _init(folder: Path, arguments: argparse.Namespace) -> int:
    from plumbline.timestamp.authority import first_number, write_numbers
    from plumbline.timestamp.keys import initialise

    if not arguments.name or not arguments.trust_domain:
        print("请给出 --name 和 --trust-domain。", file=sys.stderr)
        return 2
    initialise(folder, name=arguments.name, trust_domain=arguments.trust_domain, policy=arguments.policy)
    now = datetime.now(UTC)
    write_numbers(folder, first_number(now), now)
    print(f"时间戳机构已建好。核验的人在自己的 trust.txt 里加一行：\n{_line(folder)}")
    print("它的时间由管这台机器的人担保；由平台运营单位自己运行时，不算外部证据。")
    return 0


def _line(folder: Path) -> str:
    from plumbline.sdk.timestamp.authority import authority_as_line, authority_of
    from plumbline.timestamp.keys import read_settings, root_certificate

    settings = read_settings(folder)
    certificate = root_certificate(folder)
    return authority_as_line(authority_of(settings.name, settings.trust_domain, certificate, str(folder)))


def _renew(folder: Path, arguments: argparse.Namespace) -> int:
    from plumbline.timestamp.authority import first_number, write_numbers
    from plumbline.timestamp.keys import certify_signer, read_settings

    certify_signer(folder, read_settings(folder))
    now = datetime.now(UTC)
    write_numbers(folder, first_number(now), now)
    print("已换新的签名密钥和证书，序号从更大的数开始；以前盖的时间戳照旧有效。请重新启动时间戳服务。")
    return 0


def _status(folder: Path, arguments: argparse.Namespace) -> int:
    from plumbline.timestamp.authority import Authority

    authority = Authority(folder)
    settings = authority.settings
    until = authority.certificate.not_valid_after_utc.date().isoformat()
    print(f"时间戳机构 {settings.name}（{settings.trust_domain}），策略 {settings.policy}")
    print(f"签名证书用到 {until}，最近的序号 {authority.last_serial}\n{_line(folder)}")
    return 0


def _serve(folder: Path, arguments: argparse.Namespace) -> int:
    from plumbline.timestamp.authority import Authority
    from plumbline.timestamp.serve import AuthorityServer

    server = AuthorityServer((arguments.host, arguments.port), Authority(folder))
    print(f"timestamp authority ready http://{arguments.host}:{server.server_port}", flush=True)
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        server.server_close()
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("what", choices=["init", "serve", "renew", "status"])
    parser.add_argument("folder", help="时间戳机构的文件夹：密钥、证书、用过的序号")
    parser.add_argument("--name", help="init：机构名称，写在每个时间戳旁，如 tsa.example/1")
    parser.add_argument("--trust-domain", help="init：信任域，即谁在管这台机器，如 某省检测中心")
    parser.add_argument("--policy", default="", help="init：策略标识（OID）；不写时自造一个")
    parser.add_argument("--host", default="127.0.0.1", help="serve：监听地址（默认 127.0.0.1）")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"serve：端口（默认 {DEFAULT_PORT}）")
