"""One account at one contract of one EVM chain (链上账户): reading, and sending one transaction at a time. Needs the extra `anchor`."""

from __future__ import annotations

import logging
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.evidence.anchor import MAX_SECONDS, AnchorPlace
from plumbline.sdk.anchor.artefact import artefact
from plumbline.sdk.anchor.node import MAX_ANSWER, Held
from plumbline.supervision.fetch import Fetcher, FetchFailed, FetchRefused, FetchUnreadable
from plumbline.supervision.journal.anchoring import AnchorChain

#: For one answer, the whole of it.
TIMEOUT_S = 10.0
GWEI = 10**9
_log = logging.getLogger("plumbline.worker")


class ChainProblem(RuntimeError):
    """A chain, its contract or the account cannot be used now; the message is one plain sentence, with no word of the node's."""


@dataclass(slots=True)
class Account:
    """Speaks to the contract. Not shared between threads."""

    chain: AnchorChain
    web3: Any
    key: Any
    door: Fetcher
    #: what the last transaction offered for its gas: one in its place must offer more
    offered: int = 0

    @classmethod
    def open(cls, chain: AnchorChain, keys: Path) -> Account:
        """With the key of the folder; :class:`ChainProblem` without the library, or a usable key."""
        deepest = sys.getrecursionlimit()
        try:
            from eth_account import Account as EvmAccount
            from web3 import Web3
        except ImportError as error:
            raise ChainProblem("本机没有安装上链部件，请安装 plumbline[anchor]") from error
        finally:
            # A part of the library raises it so far that nested brackets of a hostile answer would end this whole process.
            sys.setrecursionlimit(deepest)
        try:
            key = EvmAccount.from_key(read_key(keys / chain.key_file))
        except ValueError as error:
            raise ChainProblem(f"{chain.key_file} 不是账户密钥：这个数不在 secp256k1 的范围里") from error
        door = Fetcher([chain.url])
        return cls(chain, Web3(_provider(door, chain.url)), key, door)

    def close(self) -> None:
        """Drop the connections."""
        self.door.close()

    def require(self) -> None:
        """The node's chain, the contract's code and its owner are those of the list; :class:`ChainProblem` when not."""
        self._require_chain()
        code = self._asked(lambda eth: eth.get_code(self._address))
        if bytes(code).hex() != artefact().deployed:
            raise ChainProblem(f"地址 {self.chain.contract} 上没有上链合同，或是别的合同")
        owner = self._asked(lambda eth: self._contract.functions.owner().call())
        if owner != self.key.address:
            raise ChainProblem(f"合同的主人是 {owner}，不是账户 {self.key.address}：密钥或合同写错了")

    def _require_chain(self) -> None:
        found = _number(self._asked(lambda eth: eth.chain_id))
        if found != self.chain.chain_id:
            raise ChainProblem(f"节点属于链 {found}，名单上写的是链 {self.chain.chain_id}")

    def size_of(self, log: bytes) -> int:
        """The largest size that the contract holds of a log."""
        return _number(self._asked(lambda eth: self._contract.functions.sizeOf(log).call()))

    def held(self, log: bytes, size: int) -> Held | None:
        """What it holds at a size."""
        root, number, at = self._asked(lambda eth: self._contract.functions.anchorOf(log, size).call())
        if at > MAX_SECONDS:
            raise ChainProblem("节点的答复读不懂：区块的时间不合理")
        return Held(root=bytes(root), block_number=_number(number), block_time=at) if any(root) else None

    def height(self) -> int:
        """Number of the newest block."""
        return _number(self._asked(lambda eth: eth.block_number))

    def place(self, log: bytes, size: int, held: Held) -> AnchorPlace | None:
        """Where the event of an anchored size stands; None when the chain moved meanwhile."""
        wanted = {
            "address": self._address,
            "fromBlock": held.block_number,
            "toBlock": held.block_number,
            "topics": [f"0x{artefact().event}", f"0x{log.hex()}"],
        }
        for each in self._asked(lambda eth: eth.get_logs(wanted)):
            if (
                int.from_bytes(bytes(each["data"])[:32], "big") == size
                and bytes(each["data"])[32:] == held.root
            ):
                return AnchorPlace(
                    chain_id=self.chain.chain_id,
                    contract=self.chain.address,
                    block_number=held.block_number,
                    block_hash=bytes(each["blockHash"]),
                    block_time=held.block_time,
                    transaction=bytes(each["transactionHash"]),
                    log_index=each["logIndex"],
                )
        return None

    def next_nonce(self) -> int:
        """The account's next number on the chain: what waits unmined does not count, it is replaced."""
        return _number(self._asked(lambda eth: eth.get_transaction_count(self.key.address, "latest")))

    def sign(self, log: bytes, size: int, root: bytes, nonce: int) -> Any:
        """The signed transaction that anchors a checkpoint; raises :class:`ChainProblem` when the contract would refuse it."""
        price = self._price()
        told = {"from": self.key.address, "nonce": nonce, "gasPrice": price, "chainId": self.chain.chain_id}
        made = self._asked(
            lambda eth: self._contract.functions.anchor(log, size, root).build_transaction(told)
        )
        self.offered = price
        return self.key.sign_transaction(made)

    def _price(self) -> int:
        """What to offer: what the node asks, an eighth more than what is to be replaced, never more than the list allows."""
        asked, most = _number(self._asked(lambda eth: eth.gas_price)), self.chain.max_gwei * GWEI
        if asked > most:
            raise ChainProblem(
                f"节点要价 {asked // GWEI} gwei，名单上的 max_gwei 是 {self.chain.max_gwei}：没有发"
            )
        return min(max(asked, self.offered * 9 // 8 + 1), most)

    def send(self, signed: Any) -> None:
        """Hand a signed transaction to the node."""
        self._asked(lambda eth: eth.send_raw_transaction(signed.raw_transaction))

    def deploy(self) -> str:
        """A new contract that this account owns; its address. Waits for the block."""
        self._require_chain()
        factory = self.web3.eth.contract(abi=artefact().abi, bytecode=artefact().bytecode)
        told = {
            "from": self.key.address,
            "nonce": self.next_nonce(),
            "gasPrice": self._price(),
            "chainId": self.chain.chain_id,
        }
        made = self._asked(lambda eth: factory.constructor().build_transaction(told))
        signed = self.key.sign_transaction(made)
        self.send(signed)
        done = self._asked(lambda eth: eth.wait_for_transaction_receipt(signed.hash, timeout=300))
        if done["status"] != 1 or not done["contractAddress"]:
            raise ChainProblem("合同没有装成：交易被链拒绝")
        return str(done["contractAddress"])

    @property
    def _address(self) -> str:
        return str(self.web3.to_checksum_address(self.chain.contract))

    @property
    def _contract(self) -> Any:
        return self.web3.eth.contract(address=self._address, abi=artefact().abi)

    def _asked(self, question: Any) -> Any:
        """What the node answers; whatever goes wrong on the way is one plain sentence."""
        from web3.exceptions import ContractLogicError, Web3Exception

        try:
            return question(self.web3.eth)
        except ChainProblem:
            raise
        except ContractLogicError as error:
            raise ChainProblem(f"合同拒绝了交易（{_hexadecimal(error.data)}）") from error
        except Web3Exception as error:
            _log.warning("node of %s: %s", self.chain.name, ascii(str(error))[:500])
            if "insufficient funds" in str(error).lower():
                raise ChainProblem(f"账户 {self.key.address} 的余额不够付手续费") from error
            raise ChainProblem(f"节点拒绝了请求（{type(error).__name__}）") from error
        except FetchRefused as error:
            raise ChainProblem(str(error)) from error
        except FetchUnreadable as error:
            raise ChainProblem("节点的答复太长或太慢") from error
        except (FetchFailed, OSError) as error:
            raise ChainProblem(f"节点没有答复（{error}）") from error
        except Exception as error:  # the library raises whatever it likes on garbage
            raise ChainProblem(f"节点的答复读不懂（{type(error).__name__}）") from error


def _number(value: Any) -> int:
    """A number of a node that fits where numbers are kept."""
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise ChainProblem("节点的答复读不懂：数目大得不合理")
    return value


def _hexadecimal(value: Any) -> str:
    return value if isinstance(value, str) and re.fullmatch(r"0x[0-9a-f]{8,80}", value) else "没有说原因"


def _provider(door: Fetcher, url: str) -> Any:
    """JSON-RPC through the door, a question at a time."""
    from web3.providers import JSONBaseProvider

    class Provider(JSONBaseProvider):  # type: ignore[misc]
        """Asks the one node."""

        def make_request(self, method: Any, params: Any) -> Any:
            """The node's answer, an error of its own included; raises FetchFailed."""
            body = self.encode_rpc_request(method, params)
            told = door.fetch(
                url, content=body, media_type="application/json", timeout_s=TIMEOUT_S, max_bytes=MAX_ANSWER
            )
            answer = self.decode_rpc_response(told.body)
            if not isinstance(answer, dict):
                raise ValueError("no object")
            return answer

    return Provider()


def read_key(path: Path) -> str:
    """The account's key, hexadecimal; :class:`ChainProblem` for a file that others can read, or that holds none."""
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ChainProblem(f"{path.name} 别人也能读：请执行 chmod 600")
        text = path.read_text("ascii").strip().removeprefix("0x")
        if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
            raise ValueError("not a key")
    except FileNotFoundError as error:
        raise ChainProblem(f"密钥文件夹里没有 {path.name}：请把 32 字节的私钥写成十六进制放在那里") from error
    except (OSError, ValueError) as error:
        raise ChainProblem(f"{path.name} 不是账户密钥：应是 64 位十六进制数字") from error
    return text
