"""The command line (命令行): `plumbline <command>`; each command imports what it needs when it is called."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from plumbline import __version__

Command = Callable[[argparse.Namespace], int]
Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _demo(arguments: argparse.Namespace) -> int:
    from plumbline.demo import command, tools

    runs: dict[str, Command] = {
        "time": tools.run_time,
        "cut": tools.run_cut,
        "heal": tools.run_heal,
        "stop-platform": tools.run_stop,
    }
    return runs.get(arguments.what, command.run_demo)(arguments)


def _replay(arguments: argparse.Namespace) -> int:
    from plumbline.demo.command import run_replay

    return run_replay(arguments)


def _verify(arguments: argparse.Namespace) -> int:
    from plumbline.sdk.verify_command import run_verify

    return run_verify(arguments)


def _receipts(arguments: argparse.Namespace) -> int:
    from plumbline.sdk.receipts_command import run_receipts

    return run_receipts(arguments)


def _clauses(arguments: argparse.Namespace) -> int:
    from plumbline.standards.matrix import report

    result = report(arguments.work)
    print(result.text(full=arguments.full))
    return int(result.exit_code)


def _registers(arguments: argparse.Namespace) -> int:
    from plumbline.standards.registers import TITLES, RegisterProblem, read_register, told

    try:
        for name in [arguments.name] if arguments.name else TITLES:
            print("\n".join(told(name, read_register(name))))
    except RegisterProblem as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def _rebuild(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_rebuild

    return run_rebuild(arguments)


def _audit(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_audit

    return run_audit(arguments)


def _reproject(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_reproject

    return run_reproject(arguments)


def _log(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_log

    return run_log(arguments)


def _cosigners(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_cosigners

    return run_cosigners(arguments)


def _retransmit(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_retransmit

    return run_retransmit(arguments)


def _destroy(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_destroy

    return run_destroy(arguments)


def _admins(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_admins

    return run_admins(arguments)


def _supervision(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_supervision

    return run_supervision(arguments)


def _sign(arguments: argparse.Namespace) -> int:
    from plumbline.lab.commands import run_sign

    return run_sign(arguments)


def _cosign(arguments: argparse.Namespace) -> int:
    from plumbline.cosign.command import run_cosign

    return run_cosign(arguments)


def _timestamp(arguments: argparse.Namespace) -> int:
    from plumbline.timestamp.command import run_timestamp

    return run_timestamp(arguments)


def _timestamps(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_timestamps

    return run_timestamps(arguments)


def _anchors(arguments: argparse.Namespace) -> int:
    from plumbline.supervision.commands import run_anchors

    return run_anchors(arguments)


def _bench(arguments: argparse.Namespace) -> int:
    from plumbline.bench.command import run_bench

    return run_bench(arguments)


def _drill(arguments: argparse.Namespace) -> int:
    from plumbline.drill.command import run_drill

    return run_drill(arguments)


def _data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", default="data", help="数据文件夹（默认 ./data）")


def _serving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8700, help="对外端口（默认 8700）")
    parser.add_argument("--lan", action="store_true", help="局域网可访问：自建证书，走 HTTPS")
    parser.add_argument("--certificate", help="已有的 TLS 证书（PEM），与 --key 一起用")
    parser.add_argument("--key", help="TLS 私钥（PEM）")


def _story_commands(commands: Commands) -> None:
    demo = commands.add_parser("demo", help="启动演示城市：一个地址，几秒可用，其余在后台补齐")
    demo.add_argument(
        "what",
        nargs="?",
        choices=["city", "time", "cut", "heal", "stop-platform"],
        help="city：填进正在运行的平台；time：演示时钟；cut、heal：断开、接通一家机构的网络；stop-platform：平台停机几天",
    )
    demo.add_argument("value", nargs="?", help="cut、heal：机构简称；stop-platform：时长，如 3d")
    demo.add_argument("--to", help="time：把演示时钟拨到这个时刻，只能往前")
    demo.add_argument("--forward", help="time：往前拨多久，如 3d、12h、30m")
    _data_dir(demo)
    _serving(demo)
    demo.add_argument("--reset", action="store_true", help="清空数据文件夹重新开始")
    demo.add_argument("--empty", action="store_true", help="只启动服务，不生成城市")
    demo.add_argument("--seed", type=int, help="演示城市的种子（默认 20261119）：同一种子同一座城市")
    demo.add_argument(
        "--scale", type=float, help="演示城市的规模：1（默认）为 6 家机构、40 个工程、约 3000 份报告"
    )
    demo.add_argument("--honest", action="store_true", help="演示城市里不植入造假情景")
    demo.set_defaults(run=_demo)

    replay = commands.add_parser(
        "replay", help="把真实采集记录走完整条链：报送、复算、申码、签章、登记、验证"
    )
    replay.add_argument("folder", nargs="?", default="../shared/data", help="采集记录文件夹")
    replay.add_argument("--data-dir", help="用这个数据文件夹（默认临时文件夹，结束后删除）")
    replay.add_argument("--keep", action="store_true", help="保留临时数据文件夹")
    replay.set_defaults(run=_replay)


def _reader_commands(commands: Commands) -> None:
    verify = commands.add_parser("verify", help="离线核验回执、案卷包或 PDF；不信任平台，只信任您给的根")
    verify.add_argument("file", help="回执（.txt）、案卷包（.zip，一份报告、一个工程或一年的）或报告（.pdf）")
    verify.add_argument("--report", help="只核验合订案卷包里的这一份：监管码或报告编号")
    verify.add_argument("--log-key", action="append", default=[], help="您信任的日志公钥（vkey），可多次")
    verify.add_argument(
        "--trust", action="append", default=[], help="您信任的根：trust.txt 或根证书 PEM 文件，可多次"
    )
    verify.add_argument(
        "--cosigner-key", action="append", default=[], help="您信任的联署方公钥（vkey），可多次"
    )
    verify.add_argument("--anchor", help="您信任的 EVM 节点地址（JSON-RPC）：问链上写着的检查点")
    verify.add_argument("--message", help="与回执对照的消息文件")
    verify.add_argument("--lang", choices=["zh", "en"], default="zh")
    verify.set_defaults(run=_verify)

    receipts = commands.add_parser(
        "receipts", help="报送单位：拿自己留存的回执逐份问平台，少了、改了、换了历史都会指出"
    )
    receipts.add_argument("what", choices=["check"])
    receipts.add_argument("folder", help="回执文件夹，或其中的 receipts.db")
    receipts.add_argument("--url", required=True, help="平台地址")
    receipts.add_argument("--ca", help="平台自建证书的 CA（PEM）")
    receipts.add_argument("--since", help="只查这个时刻以后入账的，如 2026-11-01")
    receipts.add_argument("--log-key", action="append", default=[], help="您信任的日志公钥（vkey），可多次")
    receipts.add_argument("--trust", action="append", default=[], help="您信任的 trust.txt，可多次")
    receipts.set_defaults(run=_receipts)

    clauses = commands.add_parser("clauses", help="条文对照：条文 → 规则 → 测试 → 页面")
    clauses.add_argument("--work", help="只看一项工作，如 first-light")
    clauses.add_argument("--full", action="store_true", help="不截断")
    clauses.set_defaults(run=_clauses)

    registers = commands.add_parser(
        "registers", help="安全对照登记：ASVS、等保、密评各做到几条，哪些没有做到"
    )
    registers.add_argument("name", nargs="?", choices=["asvs", "dengbao", "miping"], help="只看一份")
    registers.set_defaults(run=_registers)


def _audit_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "what", nargs="?", choices=["all", "log", "files", "trail", "projection"], default="all"
    )
    help_text = "别处留存的检查点或回执（与日志核对，可多次给出）"
    command.add_argument("--checkpoint", action="append", default=[], help=help_text)


def _operator_commands(commands: Commands) -> None:
    for name, run, text in (
        ("rebuild", _rebuild, "从总账重建事实表与派生表，并比对"),
        ("audit", _audit, "核对总账、日志与表是否一致"),
        ("re-project", _reproject, "重新投影停放的入账"),
    ):
        command = commands.add_parser(name, help=text)
        _data_dir(command)
        if name == "audit":
            _audit_options(command)
        command.set_defaults(run=run)

    _log_command(commands)
    _retransmit_command(commands)
    destroy = commands.add_parser("destroy", help="销毁一个人的个人信息：密钥删去，日志照样成立")
    destroy.add_argument("subject", help="人员编号（32 位十六进制）")
    destroy.add_argument("--because", required=True, help="原因，写进日志")
    destroy.add_argument("--yes", action="store_true", help="不再询问；销毁不能恢复")
    _data_dir(destroy)
    destroy.set_defaults(run=_destroy)

    supervision = commands.add_parser("supervision", help="运行监管平台（生产）")
    supervision.add_argument("what", choices=["serve", "prepare", "check"])
    _data_dir(supervision)
    _serving(supervision)
    supervision.add_argument("--origin", help="日志来源名，定了不能改")
    supervision.add_argument("--public-url", help="对外地址")
    supervision.add_argument("--operator-uscc", help="运营单位统一社会信用代码")
    supervision.add_argument("--operator-name", help="运营单位名称")
    supervision.add_argument(
        "--operator-division", help="运营单位管辖的行政区划代码（6 位），决定用哪一地的参数"
    )
    supervision.add_argument("--profile", help="账号安全参数用哪一套：等保二级（默认）、ASVS二级")
    supervision.add_argument(
        "--admin-address",
        action="append",
        help="三员只能从这些地址或网段办事，可多次；写 none 取消名单",
    )
    supervision.set_defaults(run=_supervision)

    admins = commands.add_parser(
        "admins", help="首批三员：系统、安全、审计管理员各一个账号，各给一个设置密码的链接"
    )
    for kind, word in (("system", "系统"), ("security", "安全"), ("audit", "审计")):
        admins.add_argument(f"--{kind}", required=True, help=f"{word}管理员的登录名")
    _data_dir(admins)
    admins.set_defaults(run=_admins)


def _log_command(commands: Commands) -> None:
    log = commands.add_parser("log", help="日志：检查点、时钟确认与更正、恢复以后另开一期")
    log.add_argument("what", choices=["checkpoint", "clock-confirm", "clock-correct", "resume"])
    log.add_argument("--by", default="", help="谁确认；更正时钟时写登录名或人员编号")
    log.add_argument(
        "--second",
        default="",
        help="更正时钟时的复核人，登录名或人员编号，不能是同一个人；两个人随后各输入密码和第二因素",
    )
    log.add_argument(
        "--since", default="", help="更正时钟时：从第几条起走错的，如 4698；不写从第一条在将来的算起"
    )
    log.add_argument("--because", default="", help="另开一期、更正时钟的原因，写进日志")
    log.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        help="别处留存的检查点或回执（另开一期时核对，可多次给出）",
    )
    log.add_argument("--mark-lost", action="store_true", help="本机的水位丢了，也没有别处留存的检查点")
    log.add_argument("--yes", action="store_true", help="另开一期、更正时钟；不加时只说明情况")
    _data_dir(log)
    log.set_defaults(run=_log)


def _retransmit_command(commands: Commands) -> None:
    command = commands.add_parser(
        "retransmit", help="恢复备份以后请各单位补传：缺的各段写进变更通知，客户端自动补"
    )
    command.add_argument("what", choices=["ask", "own", "status"])
    command.add_argument(
        "--party",
        action="append",
        default=[],
        help="只请这个单位（32 位十六进制，可多次）；不写请所有报送单位",
    )
    command.add_argument("--epoch", type=int, help="只要日志这一期里的一段，与 --first、--end 同用")
    command.add_argument("--first", type=int, help="从第几条起")
    command.add_argument("--end", type=int, help="到第几条为止（不含）")
    command.add_argument("--days", type=int, help="不知道缺哪一段时：请各单位对照最近几天的回执")
    command.add_argument("--damaged", action="store_true", help="请上传的单位把巡检查出坏了的文件再传一次")
    command.add_argument("--by", default="", help="谁请求的，写进操作记录")
    command.add_argument("--because", default="", help="原因，写进日志")
    command.add_argument("--yes", action="store_true", help="发出请求；不加时只说明会请谁补什么")
    _data_dir(command)
    command.set_defaults(run=_retransmit)


def _cosigner_commands(commands: Commands) -> None:
    cosigners = commands.add_parser("cosigners", help="谁给本平台的日志联署：列出、加上、删去")
    cosigners.add_argument("what", choices=["list", "add", "remove"])
    cosigners.add_argument("name", nargs="?", default="", help="remove：联署方的名称")
    cosigners.add_argument("--url", help="add：联署方的地址")
    cosigners.add_argument(
        "--key", action="append", default=[], help="add：联署方的公钥（vkey）；Ed25519 与 SM2 各一把时写两次"
    )
    cosigners.add_argument("--trust-domain", help="add：谁在管联署方的机器")
    cosigners.add_argument("--own", action="store_true", help="add：是运营单位自己的机器，不算外部联署")
    cosigners.add_argument("--by", default="", help="add、remove：谁改的")
    cosigners.add_argument("--because", default="", help="add、remove：原因，写进日志")
    _data_dir(cosigners)
    cosigners.set_defaults(run=_cosigners)

    from plumbline.cosign import command as cosigning

    cosign = commands.add_parser("cosign", help="联署程序：在别人的机器上跟随日志，只给前后一致的检查点联署")
    cosigning.add_options(cosign)
    cosign.set_defaults(run=_cosign)


def _outside_commands(commands: Commands) -> None:
    stamps = commands.add_parser("timestamps", help="谁给本平台的检查点盖时间戳：列出、加上、停用")
    stamps.add_argument("what", choices=["list", "add", "remove"])
    stamps.add_argument("name", nargs="?", default="", help="add、remove：机构名称，如 tsa.example/1")
    stamps.add_argument("--url", help="add：机构的地址（RFC 3161，HTTP）")
    stamps.add_argument("--certificate", help="add：机构根证书的 PEM 文件")
    stamps.add_argument("--trust-domain", help="add：谁在管这个机构")
    stamps.add_argument("--own", action="store_true", help="add：是运营单位自己的，不算外部证据")
    stamps.add_argument("--every", type=int, help="add：日志有增长时每多少分钟盖一次（默认 60）")
    stamps.add_argument("--policy", default="", help="add：要求的策略标识（OID）；不写时由机构定")
    stamps.add_argument("--by", default="", help="add、remove：谁改的")
    _data_dir(stamps)
    stamps.set_defaults(run=_timestamps)

    anchors = commands.add_parser("anchors", help="检查点写进哪些 EVM 链：列出、加上、停用、逐个核对")
    anchors.add_argument("what", choices=["list", "add", "remove", "check"])
    anchors.add_argument("name", nargs="?", default="", help="add、remove：链的名称，如 chain.example/1")
    anchors.add_argument("--url", help="add：节点地址（JSON-RPC，HTTP）")
    anchors.add_argument("--chain-id", type=int, help="add：链号；节点的链号不同就不写")
    anchors.add_argument("--contract", help="add：已装好的合同地址")
    anchors.add_argument("--deploy", action="store_true", help="add：新装一个合同，主人是本平台的账户")
    anchors.add_argument("--trust-domain", help="add：谁在维护这条链")
    anchors.add_argument("--every", type=int, help="add：日志有增长时每多少分钟写一次（默认 60）")
    anchors.add_argument("--confirmations", type=int, help="add：多少块以后算数（默认 12）")
    anchors.add_argument("--max-gwei", type=int, help="add：每单位手续费最多出多少 gwei（默认 200）")
    anchors.add_argument("--by", default="", help="add、remove：谁改的")
    _data_dir(anchors)
    anchors.set_defaults(run=_anchors)

    from plumbline.timestamp import command as stamping

    authority = commands.add_parser("timestamp", help="时间戳程序：一个小的时间戳机构（RFC 3161）")
    stamping.add_options(authority)
    authority.set_defaults(run=_timestamp)


def _workshop_commands(commands: Commands) -> None:
    sign = commands.add_parser("sign", help="检测机构：给报告 PDF 签章（私钥在机构自己的密钥盒里）")
    sign.add_argument("pdf")
    sign.add_argument("--keys", required=True, help="机构密钥盒文件夹")
    sign.add_argument("--out", required=True)
    sign.set_defaults(run=_sign)

    bench = commands.add_parser("bench", help="测量：与同机基准并排的比值")
    bench.add_argument("names", nargs="*", help="P0 P1a P1b P2 P3 P4 P5 P6 P7 P8 P13（默认全部）")
    bench.add_argument("--out", help="把结果写成 JSON 放进这个文件夹")
    bench.add_argument("--rounds", type=int, default=5)
    bench.add_argument("--complete", action="store_true", help="有对照没装就算没过（退出码 5）")
    size = bench.add_mutually_exclusive_group()
    size.add_argument("--grown", action="store_true", help="P3、P5 长到一千万行（约一小时，要 40 GB）")
    size.add_argument(
        "--small", action="store_true", help="持续集成用：只做 P3 P5 P6 P8，两三分钟，太吵不算没过"
    )
    bench.set_defaults(run=_bench)

    from plumbline.drill.command import add_commands

    drill = commands.add_parser("drill", help="演练：故意弄坏，看承诺是否成立")
    add_commands(drill)
    drill.set_defaults(run=_drill)


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command."""
    parser = argparse.ArgumentParser(prog="plumbline", description="准绳：建设工程检测监管平台")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="命令")

    _story_commands(commands)
    _reader_commands(commands)
    _operator_commands(commands)
    _cosigner_commands(commands)
    _outside_commands(commands)
    _workshop_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; every foreseen failure is one or two plain lines and a non-zero status."""
    from plumbline.embedded.problems import EmbeddedProblem

    arguments = build_parser().parse_args(argv)
    try:
        command: Command = arguments.run
        return command(arguments)
    except EmbeddedProblem as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
