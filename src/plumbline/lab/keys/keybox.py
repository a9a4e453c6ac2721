"""Files of a key folder: private to its owner, written once, complete or absent (密钥盒的文件)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

#: only the owner may list or enter the folder
FOLDER_MODE = 0o700
#: only the owner may read a file
FILE_MODE = 0o600


class KeyboxError(Exception):
    """密钥盒不能使用."""


def create_folder(folder: Path) -> None:
    """Make an empty key folder with mode 0700; `KeyboxError` if it exists and holds anything."""
    if folder.exists() and any(folder.iterdir()):
        raise KeyboxError(f"密钥盒 {folder} 已有内容，不会覆盖。")
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)


def require_private(folder: Path) -> None:
    """Raise `KeyboxError` unless folder and files are closed to everyone but the owner."""
    if not folder.is_dir():
        raise KeyboxError(f"没有找到密钥盒 {folder}。")
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise KeyboxError(f"{path} 的权限是 {mode:04o}，他人也能读取；文件夹应为 0700，文件应为 0600。")


def write_private(path: Path, content: bytes) -> None:
    """Write a new file with mode 0600 and make it durable; `KeyboxError` if it is there already."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        raise KeyboxError(f"{path} 已存在，不会覆盖。") from None
    with os.fdopen(handle, "wb") as file:
        # The umask can only take rights away; the mode is set again so that it is exactly 0600.
        os.fchmod(file.fileno(), FILE_MODE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_file(path: Path) -> bytes:
    """Return the file's bytes; `KeyboxError` naming the file when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyboxError(f"读不出 {path}：{error.strerror}。") from None


def key_to_pem(key: PrivateKeyTypes) -> bytes:
    """Return a private key as PKCS #8 PEM (RFC 5958), unencrypted: the folder's mode protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_from_pem(path: Path) -> PrivateKeyTypes:
    """Load a PKCS #8 PEM private key; `KeyboxError` when the file is absent or is no key."""
    try:
        return serialization.load_pem_private_key(read_file(path), password=None)
    except (ValueError, TypeError):
        raise KeyboxError(f"{path} 不是可用的私钥文件。") from None
