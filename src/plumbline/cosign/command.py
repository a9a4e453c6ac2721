"""`plumbline cosign` (联署程序): set one up, let it follow a log, run it, ask how it is.

The command line builds its parser from this module, so the cosigner itself is imported when it is called.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

DEFAULT_PORT = 8731


def run_cosign(arguments: argparse.Namespace) -> int:
    """0 when done, 1 when refused, 2 for wrong usage."""
    from plumbline.cosign.keys import CosignerProblem
    from plumbline.cosign.state import StateLost
    from plumbline.evidence.note import NoteError

    folder = Path(arguments.folder).absolute()
    try:
        return {"init": _init, "trust": _trust, "serve": _serve, "status": _status}[arguments.what](
            folder, arguments
        )
    except NoteError as error:
        print(f"公钥或名称不对：{error}", file=sys.stderr)
        return 2
    except (CosignerProblem, StateLost) as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"文件夹或端口用不了：{error}", file=sys.stderr)
        return 1


def _keys(arguments: argparse.Namespace) -> list[str]:
    return [each.strip() for each in arguments.log_key]


def _init(folder: Path, arguments: argparse.Namespace) -> int:
    from plumbline.cosign.cosigner import Cosigner, initialise

    if not arguments.name or not arguments.trust_domain or not arguments.log_key:
        print("请给出 --name、--trust-domain 和至少一个 --log-key。", file=sys.stderr)
        return 2
    initialise(
        folder,
        name=arguments.name,
        trust_domain=arguments.trust_domain,
        log_keys=_keys(arguments),
        algorithms=("ed25519", "sm2") if arguments.algorithm == "both" else (arguments.algorithm,),
        new_key=arguments.new_key,
    )
    print("联署方已建好。公钥（交给平台和核验的人）：", *Cosigner(folder).verifier_keys, sep="\n")
    return 0


def _trust(folder: Path, arguments: argparse.Namespace) -> int:
    from plumbline.cosign.cosigner import trust

    if not arguments.log_key:
        print("请用 --log-key 给出日志公钥。", file=sys.stderr)
        return 2
    added = trust(folder, _keys(arguments))
    print(f"新跟随：{'、'.join(added)}" if added else "没有新的日志，公钥已记下。")
    return 0


def _status(folder: Path, arguments: argparse.Namespace) -> int:
    from plumbline.cosign.cosigner import Cosigner

    cosigner = Cosigner(folder)
    print(f"联署方 {cosigner.settings.name}（{cosigner.settings.trust_domain}）")
    for key in cosigner.verifier_keys:
        print(f"公钥 {key}")
    for head in cosigner.heads():
        at = datetime.fromtimestamp(head.at).astimezone().isoformat(timespec="seconds") if head.at else ""
        print(f"{head.origin}：联署到 {head.size} 条，{at}" if at else f"{head.origin}：还没有联署过")
    contradictions = folder / "contradictions"
    if contradictions.exists():
        forks, unproven = (len(list(contradictions.glob(f"{kind}-*.json"))) for kind in ("fork", "unproven"))
        print(
            f"日志签过与以前矛盾的检查点 {forks} 个；证明不成立的请求 {unproven} 个（任何人都能送，不一定是日志的错）。见 {contradictions}"
        )
    return 0


def _serve(folder: Path, arguments: argparse.Namespace) -> int:
    from plumbline.cosign.cosigner import Cosigner
    from plumbline.cosign.serve import CosignerServer

    cosigner = Cosigner(folder)
    server = CosignerServer((arguments.host, arguments.port), cosigner)
    keys = " ".join(cosigner.verifier_keys)
    print(f"cosigner ready http://{arguments.host}:{server.server_port} {keys}", flush=True)
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        server.server_close()
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("what", choices=["init", "trust", "serve", "status"])
    parser.add_argument("folder", help="联署方的文件夹：密钥、联署记录；不要从备份恢复联署记录")
    parser.add_argument("--name", help="init：联署方的名称，写在每个联署里，如 witness.example/1")
    parser.add_argument("--trust-domain", help="init：信任域，即谁在管这台机器，如 某省检测中心")
    parser.add_argument(
        "--log-key", action="append", default=[], help="init、trust：要跟随的日志公钥（vkey），可多次"
    )
    parser.add_argument(
        "--algorithm",
        choices=["ed25519", "sm2", "both"],
        default="ed25519",
        help="init：用哪种密钥联署；both 是两把同时签（默认 ed25519）",
    )
    parser.add_argument("--new-key", action="store_true", help="init：联署记录丢失以后换一把新密钥")
    parser.add_argument("--host", default="127.0.0.1", help="serve：监听地址（默认 127.0.0.1）")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"serve：端口（默认 {DEFAULT_PORT}）")
