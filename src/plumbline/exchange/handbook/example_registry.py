"""Examples of registration, project and platform messages (登记、工程、平台类示例)."""

from __future__ import annotations

import base64

from plumbline.evidence.note import ED25519_COSIGNATURE, format_verifier_key
from plumbline.exchange.handbook.example_cast import DIVISION, PARTY, SITE, USCC, at, digest, person
from plumbline.exchange.handbook.example_story import Story
from plumbline.exchange.messages.header import Environment, Named, Position
from plumbline.exchange.messages.platform import ComputedValue, LostRange, NoLongerHeld
from plumbline.exchange.messages.project import ScheduleLine, ScopeLine
from plumbline.exchange.messages.registry import RootKey

#: 32 bytes that stand for a public key; nobody holds the private part.
_KEY = base64.b64encode(bytes(range(32))).decode()
_COSIGNER = format_verifier_key("hengchuan-university.example/1", ED25519_COSIGNATURE, bytes(range(32)))
_POSITION = Position(longitude="107.14487", latitude="34.36917", accuracy_m="6.5")


def registry_steps(story: Story) -> None:
    """Log, parties, keys, people, places, instruments, capability."""
    _platform_registry(story)
    _published(story)
    _suspended(story)
    _institution_registry(story)
    _instruments(story)


def _platform_registry(story: Story) -> None:
    tell = story.tell
    tell(
        "log.opened",
        "platform",
        at(0),
        origin="demo.hengchuan.example/log",
        epoch=1,
        operator_uscc=USCC["platform"],
        operator_name="衡川市住房和城乡建设局",
        operator_division="610300",
        keys=[RootKey(key_id="hengchuan.log.1", algorithm="ed25519", use="log", public_key=_KEY)],
    )
    tell(
        "party.registered",
        "station",
        at(5),
        party=PARTY["institution"],
        uscc=USCC["institution"],
        name="衡川诚测检测有限公司",
        short_name="诚测检测",
        roles=["institution"],
        division=DIVISION,
        address="衡川市渭滨区示例路 8 号",
    )
    tell(
        "key.enrolled",
        "station",
        at(10),
        party=PARTY["institution"],
        key_id="chengce.origin.1",
        algorithm="ed25519",
        use="origin",
        public_key=_KEY,
        valid_from=at(0),
        valid_until=at(days=730),
    )
    tell(
        "cosigner.accepted",
        "platform",
        at(11),
        name=_COSIGNER.partition("+")[0],
        key=_COSIGNER,
        trust_domain="衡川大学信息中心",
        external=True,
        valid_from=at(11),
        because="签订联署协议",
    )
    tell(
        "cosigner.retired",
        "platform",
        at(days=300),
        acceptance=story.entries["cosigner.accepted"],
        name=_COSIGNER.partition("+")[0],
        key=_COSIGNER,
        because="协议到期",
    )
    tell("key.revoked", "station", at(days=300), key_id="chengce.transport.0", because="存放私钥的计算机报废")


def _published(story: Story) -> None:
    tell = story.tell
    tell(
        "role.granted",
        "platform",
        at(15),
        person=person("officer"),
        role="officer",
        party=PARTY["station"],
        division=DIVISION,
        capacity="监督员",
    )
    tell(
        "role.ended",
        "platform",
        at(15),
        grant=story.entries["role.granted"],
        person=person("officer"),
        because="调离监督岗位",
    )
    tell(
        "parameter.published",
        "platform",
        at(16),
        key="registration_window",
        jurisdiction="6103",
        value="30",
        unit="min",
        clause="DB6103 7.1.2",
        in_force_from="2020-01-01",
        source="DB6103 7.1.2：取样后 30 分钟内登记",
        verified=True,
    )
    tell(
        "schema.published",
        "platform",
        at(17),
        category="concrete_cube",
        version=1,
        schema_sha256=digest("schema"),
        in_force_from="2026-01-01",
    )
    tell(
        "subject.destroyed",
        "platform",
        at(days=400),
        subject=person("witness"),
        because="本人申请，保存期限已满",
    )


def _suspended(story: Story) -> None:
    tell = story.tell
    for kind, why in (("party.suspended", "能力验证连续两次不合格"), ("party.reinstated", "整改已核查")):
        known = {"suspension": story.entries["party.suspended"]} if kind == "party.reinstated" else {}
        tell(
            kind,
            "station",
            at(15),
            party=PARTY["institution"],
            because=why,
            decided_by=person("officer"),
            seconded_by=person("approver"),
            **known,
        )


def _institution_registry(story: Story) -> None:
    tell, institution = story.tell, PARTY["institution"]
    tell(
        "person.registered",
        "institution",
        at(20),
        person=person("technician"),
        party=institution,
        roles=["technician"],
        certificate_number="610300-2026-0017",
        scope=["concrete_cube"],
        sites=[SITE],
        valid_from="2026-01-01",
        valid_until="2028-12-31",
        personal=digest("personal record of the technician"),
    )
    tell(
        "site.registered",
        "station",
        at(21),
        institution=institution,
        site=SITE,
        name="本部",
        address="衡川市渭滨区示例路 8 号",
        division=DIVISION,
    )
    tell(
        "capability.approved",
        "station",
        at(22),
        institution=institution,
        site=SITE,
        category="concrete_cube",
        parameters=["concrete_cube.compressive"],
        methods=["GB/T 50081"],
        valid_from="2026-01-01",
        valid_until="2030-12-31",
        certificate_number="陕建检字第2026-017号",
    )


def _instruments(story: Story) -> None:
    tell, institution = story.tell, PARTY["institution"]
    tell(
        "filing.recorded",
        "station",
        at(23),
        institution=institution,
        division=DIVISION,
        valid_from="2026-01-01",
        valid_until="2026-12-31",
    )
    tell(
        "instrument.registered",
        "institution",
        at(24),
        institution=institution,
        site=SITE,
        instrument="YE-2000-06",
        name="压力试验机",
        model="YE-2000",
        serial_number="20260106",
        range_kN="2000",
        accuracy_class="1",
        calibration_certificate="LX2026-00417",
        calibrated_until="2027-03-01",
    )
    tell(
        "instrument.checked",
        "institution",
        at(25),
        instrument="YE-2000-06",
        checked_on="2026-11-02",
        results=[Named(name="示值相对误差", value="0.4", unit="%")],
        passed=True,
    )
    tell(
        "entry.withdrawn",
        "institution",
        at(26),
        entry=story.entries["instrument.checked"],
        because="重复报送",
    )


def project_steps(story: Story) -> None:
    """Project, contract, plan, tags, and what happens on site."""
    _project_papers(story)
    _charges(story)
    _project_plan(story)
    _site_events(story)


def _project_papers(story: Story) -> None:
    tell, entries = story.tell, story.entries
    tell(
        "project.registered",
        "station",
        at(30),
        name="衡川市第三中学教学楼",
        code="610300-2026-0101",
        permit_number="610300202603010101",
        division=DIVISION,
        owner=PARTY["owner"],
        contractor=PARTY["contractor"],
        resident_engineer_firm=PARTY["resident_engineer_firm"],
        unit_works=["教学楼"],
        position=_POSITION,
        fence_m="300",
    )
    project = entries["project.registered"]
    tell(
        "contract.signed",
        "institution",
        at(40),
        project=project,
        number="HT-2026-0101",
        client=PARTY["owner"],
        client_role="owner",
        institution=PARTY["institution"],
        signed_on="2026-11-19",
        scope=[ScopeLine(category="concrete_cube", parameters=["concrete_cube.compressive"])],
        file_sha256=digest("contract"),
    )


def _charges(story: Story) -> None:
    tell = story.tell
    tell(
        "charge.assigned",
        "station",
        at(41),
        project=story.entries["project.registered"],
        officer=person("officer"),
        part="lead",
        valid_from="2026-03-02",
    )
    tell(
        "charge.ended",
        "station",
        at(42),
        charge=story.entries["charge.assigned"],
        because="调离监督岗位",
    )


def _project_plan(story: Story) -> None:
    tell, entries, project = story.tell, story.entries, story.entries["project.registered"]
    tell(
        "custodians.confirmed",
        "station",
        at(45),
        project=project,
        samplers=[person("sampler")],
        witnesses=[person("witness")],
    )
    tell(
        "schedule.submitted",
        "contractor",
        at(50),
        project=project,
        lines=[
            ScheduleLine(category="concrete_cube", structural_part="二层柱", groups=4, due_on="2026-12-31")
        ],
    )
    tell(
        "schedule.approved",
        "resident_engineer_firm",
        at(55),
        schedule=entries["schedule.submitted"],
        approved=True,
    )
    tell(
        "tag.issued",
        "station",
        at(60),
        project=project,
        tags=["HC0001", "HC0002", "HC0003"],
        medium="qr",
        issued_to=person("sampler"),
    )


def _site_events(story: Story) -> None:
    tell, project = story.tell, story.entries["project.registered"]
    tell(
        "pour.recorded",
        "contractor",
        at(70),
        project=project,
        structural_part="二层柱 A~D 轴",
        grade="C30",
        volume_m3="86.5",
        started_at=at(65),
    )
    tell(
        "arrival.recorded",
        "contractor",
        at(75),
        project=project,
        material="热轧带肋钢筋",
        grade="HRB400E",
        quantity="58.60",
        unit="t",
        heat_number="26B0417",
        manufacturer="示例钢铁",
        arrived_on="2026-11-18",
    )
    tell(
        "insitu.registered",
        "institution",
        at(80),
        project=project,
        code="SJ-2026-0007",
        category="concrete_insitu",
        structural_part="二层柱 A-3",
    )
    tell(
        "duty.appointed",
        "contractor",
        at(81),
        project=project,
        person=person("sampler"),
        duty="sampling",
        from_at=at(90),
        until_at=at(150),
    )
    tell(
        "checkin.recorded",
        "contractor",
        at(91),
        project=project,
        person=person("sampler"),
        position=_POSITION,
    )
    tell(
        "environment.recorded",
        "institution",
        at(92),
        site=SITE,
        room="标准养护室",
        environment=Environment(temperature_C="20.3", humidity_pct="96"),
    )


def platform_steps(story: Story) -> None:
    """What the platform itself records."""
    tell, entries = story.tell, story.entries
    tell(
        "blob.stored",
        "platform",
        at(1, days=28),
        sha256=digest("press_start"),
        bytes=183042,
        media_type="image/jpeg",
        uploaded_by=PARTY["institution"],
    )
    tell(
        "clock.deadline_passed",
        "platform",
        at(30, days=58),
        rule="code.unused",
        subject=entries["report.applied"],
        due_at=at(days=58),
    )
    _about_itself(story)
    tell(
        "evaluation.computed",
        "platform",
        at(45, days=28),
        run=entries["run.recorded"],
        method="concrete_cube",
        edition="GB/T 50081-2019",
        version="1",
        outcome="computed",
        verdict="NOT_JUDGED",
        values=[
            ComputedValue(symbol="strength_MPa", value="38.5"),
            ComputedValue(symbol="percent_of_grade", value="128"),
        ],
    )
    tell(
        "rules.re-evaluated",
        "platform",
        at(0, days=90),
        rules_version="2027.1",
        because="参数 registration_window 有新版本",
    )
    _retransmission(story)


def _about_itself(story: Story) -> None:
    """What the platform says of its own clock and its own audit trail."""
    tell = story.tell
    tell(
        "clock.corrected",
        "platform",
        at(0, days=60),
        first_person=person("officer"),
        second_person=person("second officer"),
        because="主机时钟曾快 3 小时，已校准",
        position=4711,
        wrong_from=4698,
        last_wrong=at(178, days=60),
        corrected_to=at(0, days=60),
    )
    tell(
        "trail.sealed",
        "platform",
        at(2, days=60),
        number=812,
        events=37,
        first=20418,
        last=20454,
        root="5b" * 32,
        sealed_at=at(2, days=60),
    )


def _retransmission(story: Story) -> None:
    """What was lost in a restore is asked for, and sent again."""
    tell, entries = story.tell, story.entries
    tell(
        "retransmit.requested",
        "platform",
        at(0, days=29),
        party=PARTY["institution"],
        entries=[],
        ranges=[LostRange(epoch=1, first=48210, end=48397)],
        because="数据库从备份恢复，缺少其后入账的各条",
    )
    tell(
        "retransmit.answered",
        "institution",
        at(5, days=29),
        request=entries["retransmit.requested"],
        stage="done",
        resent=41,
        present=2,
        not_held=[NoLongerHeld(entry=entries["run.recorded"], because="本单位只留了回执")],
    )
