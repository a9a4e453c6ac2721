"""Templates draw every state, keep the content policy, and never hide what is missing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from plumbline.supervision.pages import preview, samples
from plumbline.supervision.pages.sample_verifications import sample_verification
from plumbline.supervision.pages.verification import VERDICT_WORDS, VerificationState, file_answer
from plumbline.supervision.pages.wording import PROOF_LOOKS, STEP_ICONS, STEP_TITLES, StepKind
from plumbline.web.jinja import STATIC_FOLDER

preview.configure()
SPRITE = (STATIC_FOLDER / "icons.svg").read_text(encoding="utf-8")


class _Reader(HTMLParser):
    """Collects what the tests ask about: inline script and style, ids, labels, icons, links to files."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.offences: list[str] = []
        self.ids: list[str] = []
        self.icons: set[str] = set()
        self.static: set[str] = set()
        self.labelled: set[str] = set()
        self.fields: set[str] = set()
        self.tables = self.captions = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._policy(tag, values)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "use":
            self.icons.add(str(values["href"]).split("#")[1])
        for name in ("src", "href"):
            if (values.get(name) or "").startswith("/static/"):
                self.static.add(str(values[name]).removeprefix("/static/").split("#")[0])
        if tag == "label" and values.get("for"):
            self.labelled.add(str(values["for"]))
        if tag in {"input", "select", "textarea"} and values.get("type") not in {"hidden", "file"}:
            self.fields.add(str(values.get("id")))
        self.tables += tag == "table"
        self.captions += tag == "caption"

    def _policy(self, tag: str, values: dict[str, str | None]) -> None:
        if "style" in values or tag == "style" or (tag == "script" and "src" not in values):
            self.offences.append(tag)
        self.offences += [name for name in values if name.startswith("on")]
        self.offences += [v for v in values.values() if v and v.strip().lower().startswith("javascript:")]


@pytest.fixture(scope="module")
def html() -> dict[str, str]:
    return preview.pages()


PAGES = sorted(preview.pages())


@pytest.mark.parametrize("name", PAGES)
def test_a_page_holds_no_inline_script_or_style(html: dict[str, str], name: str) -> None:
    assert _Reader(html[name]).offences == []


@pytest.mark.parametrize("name", PAGES)
def test_every_icon_stands_in_the_sprite_and_every_asset_exists(html: dict[str, str], name: str) -> None:
    page = _Reader(html[name])
    assert {icon for icon in page.icons if f'id="{icon}"' not in SPRITE} == set()
    assert {path for path in page.static if not (STATIC_FOLDER / path).is_file()} == set()


@pytest.mark.parametrize("name", PAGES)
def test_ids_are_unique_fields_are_labelled_and_tables_have_captions(html: dict[str, str], name: str) -> None:
    page = _Reader(html[name])
    assert len(page.ids) == len(set(page.ids))
    assert page.fields <= page.labelled
    assert page.tables == page.captions


@pytest.mark.parametrize("state", VerificationState)
def test_a_headline_has_at_most_22_characters_and_none_of_the_banned_words(state: VerificationState) -> None:
    words = VERDICT_WORDS[state]
    assert len(words.headline) <= 22
    assert not re.search("系统|异常|非法|失败|！", words.headline + words.detail)
    assert file_answer(state)["kind"] == state.value


@pytest.mark.parametrize("state", VerificationState)
def test_the_public_page_opens_with_the_headline_of_its_state(
    html: dict[str, str], state: VerificationState
) -> None:
    page = html[f"verify-{state.value}.html"]
    assert f"<title>{VERDICT_WORDS[state].headline} " in page
    assert f"tone-{VERDICT_WORDS[state].tone.value}" in page


def test_only_the_red_states_tint_the_header() -> None:
    css = (STATIC_FOLDER / "css/verify.css").read_text(encoding="utf-8")
    assert re.search(r"\.tone-bad \{[^}]*background", css)
    assert not re.search(r"\.tone-(ok|warn) \{[^}]*background", css)


def test_the_public_page_never_shows_a_whole_name(html: dict[str, str]) -> None:
    page = html["verify-genuine.html"]
    assert "王\uff0a涛" in page
    assert "王海涛" not in page
    assert "陈立国" not in page


def test_a_page_without_registered_report_asks_for_no_file_and_no_comparison(html: dict[str, str]) -> None:
    for state in ("unknown", "unreachable", "unsound", "reserved", "withheld", "unused_expired"):
        assert "data-file-input" not in html[f"verify-{state}.html"]
    assert "data-paper" not in html["verify-unknown.html"]


def test_hostile_text_is_escaped_on_the_public_page() -> None:
    from dataclasses import replace

    from plumbline.supervision.pages.public_rendering import verification_html

    page = replace(sample_verification(VerificationState.UNKNOWN), code='"><script>alert(1)</script>')
    assert "<script>alert" not in verification_html(page)


def test_all_eight_steps_stand_in_their_order(html: dict[str, str]) -> None:
    for name in ("trace.html", "trace-gaps.html"):
        found = re.findall(r'id="step-(\w+)"', html[name])
        assert found == [kind.value for kind in StepKind]


def test_a_missing_step_says_so_and_why(html: dict[str, str]) -> None:
    step = html["trace-gaps.html"].split('id="step-witnessing"')[1].split("</li>")[0]
    assert "没有记录" in step
    assert "这组样品没有上传见证记录" in step


def test_a_missing_picture_says_so_and_why(html: dict[str, str]) -> None:
    assert "手机没有交照片" in html["trace.html"]
    assert "缺 1 张" in html["trace.html"]


def test_a_report_without_curve_says_why(html: dict[str, str]) -> None:
    assert "试验机没有上传曲线" in html["trace-gaps.html"]


def test_the_three_answers_stand_apart(html: dict[str, str]) -> None:
    for word in ("真伪", "结果", "过程"):
        assert f"<dt>{word}</dt>" in html["trace.html"]


def test_every_chart_has_a_sentence_and_a_table(html: dict[str, str]) -> None:
    assert 'aria-label="试件 2 的力值–时间曲线：极限荷载 884.2 kN' in html["trace.html"]
    assert "data-marks" in html["trace.html"]


def test_an_empty_list_says_what_to_do_and_exports_nothing(html: dict[str, str]) -> None:
    assert "还没有检测报告" in html["reports-empty.html"]
    assert 'href="/samples/">看样品' in html["reports-empty.html"]
    assert "没有可导出的" in html["reports-empty.html"]
    assert "导出 1\u2009000+ 份" in html["reports.html"]


def test_a_capped_count_says_that_there_are_more(html: dict[str, str]) -> None:
    assert "共 1\u2009000 份以上" in html["reports.html"]
    assert '未达设计或不合格 <span class="quiet">37</span>' in html["reports.html"]


def test_a_search_without_hit_says_what_was_looked_for_and_what_to_do(html: dict[str, str]) -> None:
    assert "没有查到“没有”" in html["search-empty.html"]
    assert "回执的编号和日志序号" in html["search-empty.html"]
    assert 'href="/v/"' in html["search-empty.html"]


def test_numbers_in_testing_void_and_missing_stand_apart(html: dict[str, str]) -> None:
    series = html["numbers.html"].split('class="panel series"')[1]
    assert re.findall(r"<dt>(\S+?)</dt><dd>(\d+)</dd>", series) == [
        ("已出报告", "40"),
        ("在检", "1"),
        ("作废", "1"),
        ("缺号", "4"),
    ]
    assert "委托方撤销委托，样品退回" in series
    assert 'href="/reports/a/"' in series


def test_without_numbers_the_page_says_when_there_will_be_some(html: dict[str, str]) -> None:
    assert "还没有取过号" in html["numbers-empty.html"]


def test_hand_control_is_said_to_be_locked_only_when_the_machine_says_so() -> None:
    from dataclasses import replace

    from plumbline.supervision.pages.rendering import page_html

    said, silent = samples.sample_live(), replace(samples.sample_live(), load_control="")
    pages = [page_html("live", page, samples.sample_shell()) for page in (said, silent)]
    assert ["data-load-control hidden" in page for page in pages] == [False, True]


def test_every_state_has_word_and_icon() -> None:
    assert set(STEP_TITLES) == set(STEP_ICONS) == set(StepKind)
    assert all(look.word and f'id="{look.icon}"' in SPRITE for look in PROOF_LOOKS.values())
    assert len({look.word for look in PROOF_LOOKS.values()}) == len(PROOF_LOOKS)


def test_the_summary_of_the_chain_counts_what_is_missing() -> None:
    assert samples.sample_trace().signature_summary == "8 步，全部有签名"
    assert samples.sample_trace_with_gaps().signature_summary == "8 步，1 步没有记录"


def test_a_record_page_holds_facts_related_lists_history_and_proof(html: dict[str, str]) -> None:
    page = html["record.html"]
    for words in (
        "设备与数据",
        "20.5 °C",
        "共 37 条",
        "看全部",
        "还没有审核。",
        "修改记录",
        "看全过程",
        "存证",
    ):
        assert words in page, words
    assert 'href="/reports/?project=x"' in page
    assert 'data-label="报告编号"' in page  # the heading beside the value on a phone


def test_a_change_is_told_apart_without_colour_and_one_version_says_so(html: dict[str, str]) -> None:
    page = html["record.html"]
    assert "<del>27 d</del>" in page
    assert "<ins>28 d</ins>" in page
    assert "原来没有" in page
    css = (STATIC_FOLDER / "css/trace.css").read_text(encoding="utf-8")
    assert 'del::before { content: "− "' in css
    assert "只有一版，没有改过。" in html["record-plain.html"]
