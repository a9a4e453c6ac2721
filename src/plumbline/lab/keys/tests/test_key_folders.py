"""The key folder is private, complete, and never overwritten."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from plumbline.lab.keys import DemoAuthority, InstitutionKeys, KeyboxError, public_bytes

NAME, USCC = "临川市准信建设工程检测有限公司", "91350100M000100Y43"


@pytest.fixture
def keys(tmp_path: Path) -> InstitutionKeys:
    return InstitutionKeys.create_demo(tmp_path / "keys", NAME, USCC, devices=["press-01"])


def test_only_the_owner_may_read_it(keys: InstitutionKeys) -> None:
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [keys.folder, *keys.folder.rglob("*")]}
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items())


def test_a_folder_that_others_can_read_is_refused(keys: InstitutionKeys) -> None:
    (keys.folder / "origin.key.pem").chmod(0o640)
    with pytest.raises(KeyboxError, match="0640"):
        InstitutionKeys.load(keys.folder)


def test_loading_gives_the_same_keys(keys: InstitutionKeys) -> None:
    again = InstitutionKeys.load(keys.folder)
    assert public_bytes(again.origin) == public_bytes(keys.origin)
    assert public_bytes(again.devices["press-01"]) == public_bytes(keys.devices["press-01"])
    assert isinstance(again.report_key.curve, ec.SECP256R1)


def test_the_certificate_names_the_institution_and_the_root_says_demo(keys: InstitutionKeys) -> None:
    assert (keys.name, keys.uscc, keys.is_demo) == (NAME, USCC, True)
    root = keys.export_root()
    assert root.kind == "demo"
    assert "DEMO" in keys.root.subject.rfc4514_string()


def test_an_existing_folder_is_not_overwritten(keys: InstitutionKeys) -> None:
    with pytest.raises(KeyboxError, match="不会覆盖"):
        InstitutionKeys.create_demo(keys.folder, NAME, USCC)
    with pytest.raises(KeyboxError, match="不会覆盖"):
        keys.add_device("press-01")


def test_keys_that_do_not_match_their_certificate_are_refused(keys: InstitutionKeys, tmp_path: Path) -> None:
    other = InstitutionKeys.create_demo(tmp_path / "other", "别的机构", USCC)
    (keys.folder / "report.cert.pem").write_bytes((other.folder / "report.cert.pem").read_bytes())
    with pytest.raises(KeyboxError, match="不是一对"):
        InstitutionKeys.load(keys.folder)


@pytest.mark.parametrize("uscc", ["", "91350100M000100Y4", "91350100M000100Y4I", "91350100m000100y43"])
def test_a_code_of_the_wrong_form_gets_no_certificate(uscc: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="social credit"):
        InstitutionKeys.create_demo(tmp_path / "keys", NAME, uscc)


def test_two_institutions_can_share_one_demo_root(tmp_path: Path) -> None:
    authority = DemoAuthority.create(tmp_path / "root")
    one = InstitutionKeys.create_demo(tmp_path / "one", NAME, USCC, authority=authority)
    two = InstitutionKeys.create_demo(
        tmp_path / "two", "乙", USCC, authority=DemoAuthority.load(tmp_path / "root")
    )
    assert one.export_root().certificate == two.export_root().certificate


@pytest.mark.parametrize("device", ["", "../x", "a/b", "x" * 65])
def test_a_device_name_cannot_leave_its_folder(keys: InstitutionKeys, device: str) -> None:
    with pytest.raises(ValueError, match="device"):
        keys.add_device(device)
