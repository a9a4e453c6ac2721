"""`plumbline verify` reads the caller's trust, says what it found, and its exit status tells scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from plumbline.cli import main
from plumbline.evidence.testing import make_cosigner
from plumbline.sdk.bundle.format import REPORT
from plumbline.sdk.bundle.trust import pem_root, read_trust
from plumbline.sdk.bundle.volume_told import cosigner_lines
from plumbline.sdk.bundle.volume_verify import VolumeCheck
from plumbline.sdk.pdf.roots import TrustRoot
from plumbline.sdk.tests.bundle_story import CODE_KEYS, Story, Verifier, log_key


@pytest.fixture
def trust(tmp_path: Path, verifier: Verifier) -> Path:
    """A folder as an inspector keeps it: published keys and an accepted root."""
    folder = tmp_path / "trust"
    folder.mkdir()
    lines = ["# 2026-11-21 抄自平台网站", log_key(), "", "code " + " ".join(CODE_KEYS[0])]
    (folder / "trust.txt").write_text("\n".join(lines), "utf-8")
    (folder / "root.pem").write_text(verifier.roots[0].certificate, "utf-8")
    return folder


@pytest.fixture
def bundle(tmp_path: Path, story: Story) -> Path:
    path = tmp_path / "report.zip"
    path.write_bytes(story.seal())
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    status = main(["verify", *map(str, arguments)])
    told = capsys.readouterr()
    return status, told.out + told.err


def test_a_bundle_holds_with_a_folder_of_trust(capsys, bundle: Path, trust: Path) -> None:
    status, told = run(capsys, bundle, "--trust", trust)
    assert status == 0
    assert "演示数据" in told
    assert told.rstrip().endswith("是否作废、纸面是否一致须联网或核对。")
    assert "✗" not in told


def test_it_answers_in_english_too(capsys, bundle: Path, trust: Path) -> None:
    status, told = run(capsys, bundle, "--trust", trust, "--lang", "en")
    assert status == 0
    assert told.rstrip().endswith("must be asked online or compared.")


def test_without_a_root_the_status_is_not_zero(capsys, bundle: Path, trust: Path) -> None:
    status, told = run(capsys, bundle, "--trust", trust / "trust.txt")
    assert status == 2
    assert "· 没有给出您信任的根证书，报告的签章没有核验。" in told


def test_without_a_log_key_nothing_is_checked(capsys, bundle: Path, trust: Path) -> None:
    status, told = run(capsys, bundle, "--trust", trust / "root.pem")
    assert (status, "不能从要核验的文件里取" in told) == (2, True)


def test_a_changed_bundle_fails(capsys, bundle: Path, trust: Path) -> None:
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(bytes(data))
    status, told = run(capsys, bundle, "--trust", trust)
    assert (status, "核验没有通过" in told) == (1, True)


def test_a_receipt_verifies_by_itself(capsys, tmp_path: Path, story: Story, trust: Path) -> None:
    entry = story.content().entries[-1]
    for name, data in {"r.txt": entry.receipt, "m.json": entry.message, "other.json": b"{}"}.items():
        (tmp_path / name).write_bytes(data)
    status, told = run(capsys, tmp_path / "r.txt", "--message", tmp_path / "m.json", "--trust", trust)
    assert (status, "回执成立" in told) == (0, True)
    status, told = run(capsys, tmp_path / "r.txt", "--message", tmp_path / "other.json", "--trust", trust)
    assert (status, "报文与入账时不一致" in told) == (1, True)


def test_a_pdf_verifies_by_itself(capsys, tmp_path: Path, signed_by, trust: Path) -> None:
    (tmp_path / REPORT).write_bytes(signed_by("institution", datetime(2026, 1, 2, tzinfo=UTC)))
    status, told = run(capsys, tmp_path / REPORT, "--trust", trust)
    assert (status, "演示证书" in told) == (0, True)
    status, told = run(capsys, tmp_path / REPORT)
    assert (status, "根证书" in told) == (2, True)


def test_a_receipt_verifies_without_the_code_of_bundles_and_pdfs(
    tmp_path: Path, story: Story, trust: Path
) -> None:
    (tmp_path / "r.txt").write_bytes(story.content().entries[0].receipt)
    program = (
        "import sys\nfrom plumbline.cli import main\n"
        f"status = main(['verify', {str(tmp_path / 'r.txt')!r}, '--trust', {str(trust / 'trust.txt')!r}])\n"
        "late = {'plumbline.sdk.bundle.verify', 'plumbline.sdk.pdf.examine', 'pyhanko', 'django', 'psycopg'} & set(sys.modules)\n"
        "sys.exit(status or (3 if late else 0))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    capsys, bundle: Path, trust: Path, tmp_path: Path
) -> None:
    status, told = run(capsys, tmp_path / "none.zip", "--trust", trust / "trust.txt")
    assert (status, told) == (2, f"{tmp_path / 'none.zip'} 读不了：没有这个文件，请核对路径\n")
    status, told = run(capsys, bundle, "--trust", trust / "trust.txt", "--trust", tmp_path / "根证书.pem")
    assert (status, told) == (2, f"{tmp_path / '根证书.pem'} 读不了：没有这个文件，请核对路径\n")
    status, told = run(capsys, tmp_path, "--trust", trust / "trust.txt")
    assert (status, told) == (2, f"{tmp_path} 读不了：这是文件夹，请写里面的文件\n")


@pytest.mark.parametrize("text", ["", "hello", '{"name": "x"}', "-----BEGIN CERTIFICATE-----\nAAAA\n", "a+b"])
def test_a_file_that_is_no_trust_is_refused(capsys, bundle: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.txt").write_text(text)
    status, told = run(capsys, bundle, "--trust", tmp_path / "odd.txt")
    assert (status, told.startswith("读不了：")) == (2, True)


def test_a_log_key_that_is_none_is_refused(capsys, bundle: Path) -> None:
    status, told = run(capsys, bundle, "--log-key", "x+y+z")
    assert (status, told.startswith("日志公钥不对：")) == (2, True)


def test_a_dated_root_keeps_its_dates_and_kind(tmp_path: Path, verifier: Verifier) -> None:
    root = verifier.roots[0]
    document = {"name": "某 CA", "certificate": root.certificate, "kind": "licensed", "source": "公告"}
    dates = {"valid_from": "2026-01-01T00:00:00+08:00", "until": "2027-01-01T00:00:00+08:00"}
    (tmp_path / "ca.json").write_text(json.dumps(document | dates), "utf-8")
    (found,) = read_trust([str(tmp_path)]).roots
    assert isinstance(found, TrustRoot)
    assert (found.kind, found.valid_from.isoformat()) == ("licensed", dates["valid_from"])
    assert found.until is not None


def test_a_root_that_calls_itself_a_demo_is_one(verifier: Verifier) -> None:
    certificate = x509.load_pem_x509_certificate(verifier.roots[0].certificate.encode())
    assert pem_root(certificate, "x").kind == "demo"


def test_a_retired_cosigner_is_trusted_until_it_was_retired_and_a_wrong_instant_is_refused(
    tmp_path: Path,
) -> None:
    key, file = make_cosigner("witness.example/1", 2).verifier_key(), tmp_path / "trust.txt"
    early, late = "2026-05-01T12:00:00+00:00", "2026-06-01T20:00:00+08:00"
    file.write_text(
        "".join(f"retired-cosigner {key} {at} 某大学 信息中心\n" for at in (early, late, early)), "utf-8"
    )
    trust = read_trust([str(file)])
    assert trust.ended == {
        key: datetime.fromisoformat(late)
    }  # accepted again and retired again: the last end counts
    assert trust.cosigners == {key: "某大学 信息中心"}
    for instant in ("", "2026-05-01", "tomorrow", "9999-12-31T23:59:59+00:00"):
        file.write_text(f"retired-cosigner {key} {instant}\n", "utf-8")
        with pytest.raises(ValueError, match="停用时间"):
            read_trust([str(file)])


def test_a_volume_says_whose_cosignatures_do_not_count() -> None:
    check = VolumeCheck(entries=3)
    check.cosigned_late.update(["w/1", "w/1"])
    told = list(cosigner_lines(check, lambda _: "", "zh"))
    assert told[0] == "w/1 有联署签于公钥停用以后，不算：3 条中的 2 条"
    assert "只有平台自己担保" in told[1]
