"""Where the node of a drill's chain lies (链上节点的程序): asked for by every drill that wants one."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

#: Where `npm ci --prefix tests/chain` puts the node's program.
PROGRAM = Path("tests/chain/node_modules/ganache/dist/node/cli.js")
NODE_REMEDY = "请执行 npm ci --prefix tests/chain，或用 --node 给出 ganache 的 cli.js"


def add_node_option(parser: ArgumentParser) -> None:
    """`--node`: the program of the chain's node."""
    parser.add_argument("--node", type=Path, default=PROGRAM, help="ganache 的 cli.js")
