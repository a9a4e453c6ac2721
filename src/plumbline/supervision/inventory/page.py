"""The inventory as a page (个人信息清单): what is personal stands first, table by table; written into docs/reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plumbline.supervision.inventory.fields import CLASSES, Store, files, message_classes, tables

#: Where the page stands in the repository.
PAGE = Path("docs/reference/personal-data.md")
_TITLE = """\
# 个人信息清单

由 `src/plumbline/supervision/inventory/*.toml` 生成：`python -m plumbline.supervision.inventory.page`。
每一列、每个消息字段、每种文件都定了级；多一个或少一个，测试都不通过。人员编号、登录名、来源地址、定位也按个人信息对待。
姓名、证件号、电话、人脸摘要只在个人部分里，落盘前按人加密；谁看得到什么，见文末的遮盖表。
"""


def text() -> str:
    """The page."""
    parts = {
        "有个人信息的表": _personal_tables(),
        "消息里的个人信息": _personal_fields(),
        "文件": _files(),
        "其余的表": _others(),
        "谁看得到": _masks(),
    }
    told = "\n\n".join(f"## {title}\n\n" + "\n".join(lines) for title, lines in parts.items())
    return f"{_TITLE}\n{told}\n"


def _fields_of(store: Store, wanted: str) -> str:
    return "、".join(f"`{name}`" for name, each in store.classes.items() if each == wanted and name)


def _personal_tables() -> Iterator[str]:
    yield "| 表 | 用途 | 个人信息列 | 保存 | 遮盖 |"
    yield "|---|---|---|---|---|"
    for store in tables().values():
        if named := _fields_of(store, "personal"):
            yield f"| `{store.name}` | {store.purpose} | {named} | {store.retention} | {store.mask} |"


def _personal_fields() -> Iterator[str]:
    yield "| 字段 | 级别 | 用在 |"
    yield "|---|---|---|"
    owners: dict[tuple[str, str], list[str]] = {}
    for (owner, name), each in message_classes().items():
        if each in ("personal", "free_text"):
            owners.setdefault((each, name), []).append(owner)
    for (each, name), where in sorted(owners.items(), reverse=True):
        yield f"| `{name}` | {CLASSES[each]} | {'、'.join(f'`{owner}`' for owner in where)} |"


def _files() -> Iterator[str]:
    yield "| 种类 | 级别 | 用途 | 保存 | 谁看得到 |"
    yield "|---|---|---|---|---|"
    for store in files().values():
        told = (f"`{store.name}`", CLASSES[store.classes[""]], store.purpose, store.retention, store.mask)
        yield f"| {' | '.join(told)} |"


def _others() -> Iterator[str]:
    yield "| 表 | 用途 | 级别 | 保存 |"
    yield "|---|---|---|---|"
    for store in tables().values():
        if "personal" not in store.classes.values():
            found = "、".join(word for key, word in CLASSES.items() if key in store.classes.values())
            yield f"| `{store.name}` | {store.purpose} | {found} | {store.retention} |"


def _masks() -> Iterator[str]:
    from plumbline.exchange.masks import FIELDS, READERS, SHOWN_WORDS, shown

    yield f"| 字段 | {' | '.join(READERS.values())} |"
    yield "|---" * (len(READERS) + 1) + "|"
    for field, word in FIELDS.items():
        yield f"| {word} | {' | '.join(SHOWN_WORDS[shown(field, reader)] for reader in READERS)} |"


def main() -> None:
    """Write the page into the repository around the working folder."""
    PAGE.write_text(text(), "utf-8")


if __name__ == "__main__":
    main()
