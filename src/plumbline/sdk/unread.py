"""Why a file that somebody named cannot be read (读不了的文件): cause and remedy in plain Chinese, not the system's own sentence."""

from __future__ import annotations


def why_unread(error: OSError) -> str:
    """Cause and remedy; what is neither missing, a folder nor forbidden keeps the system's word for it."""
    match error:
        case FileNotFoundError():
            return "没有这个文件，请核对路径"
        case IsADirectoryError():
            return "这是文件夹，请写里面的文件"
        case PermissionError():
            return "没有读它的权限，请换一个读得到它的用户"
    return error.strerror or str(error)


def told_unread(error: OSError | ValueError) -> str:
    """The whole sentence about a file that was named, or about what stands in it."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} 读不了：{why_unread(error)}"
    return f"读不了：{error}"
