"""The written chapters of the handbook (手册文字): what a programmer at an institution needs, in the order
in which it is needed."""

from __future__ import annotations

from plumbline.exchange.curves import MAX_POINTS
from plumbline.exchange.decode import MAX_BODY_BYTES, MAX_DEPTH
from plumbline.exchange.handbook.blocks import Block, Code, Heading, Items, Paragraph, Table
from plumbline.exchange.signatures import MAX_SKEW_S
from plumbline.exchange.submission import MAX_SUBMISSIONS
from plumbline.exchange.uids import MAX_AGE_S, MAX_AHEAD_S

START: tuple[Block, ...] = (
    Paragraph(
        "机构、施工单位、监理单位的软件，用本手册的接口把检测过程的事实报送给监管平台。每件事一条消息，平台收下后给一份回执，"
        "凭回执可以向任何人证明这条消息在什么时刻已经入账、内容没有改过。"
    ),
    Items(
        (
            "向监督站登记单位和密钥（见“申请密钥”）。",
            "按消息表组织一条 JSON 消息，生成 `uid`。",
            "对消息做源头签名，对请求做传输签名。",
            "`POST /x/v1/entries`，收到 201 和回执；保存回执。",
            "连不上、429、503 就等一会儿原样重发，`uid` 不变，不会重复入账。",
        ),
        numbered=True,
    ),
    Paragraph(
        "不想自己写的，可以用开发包 `plumbline.sdk.client`；只用 curl 和 openssl 也能走完全程，"
        "仓库的 docs/how-to/curl-openssl.md 有逐段说明的脚本。"
    ),
    Heading("接口一览"),
    Table(
        ("地址", "做什么"),
        (
            ("`POST /x/v1/entries`", "报送一条消息"),
            ("`POST /x/v1/batches`", "一个请求报送多条消息，见“成批报送”"),
            ("`POST /x/v1/dry-run`", "申请监管码的试算，不入账"),
            ("`GET /x/v1/receipts/{sender}/{uid}`", "取回执"),
            ("`POST /x/v1/files`，`HEAD`、`PATCH /x/v1/files/…`", "文件续传"),
            ("`GET /x/v1/changes?after=`", "变更：与本单位有关的新条目"),
            ("`GET /x/v1/entries/{entry}`", "一条入账在不在；补传时用来等别的单位先补"),
            ("`GET /x/v1/checkpoint`", "日志的最新检查点"),
            ("`GET /x/v1/log/key`", "日志公钥，仅供参考；验证时请用自己保存的公钥"),
            (
                "`GET /x/v1/log/mark`，`GET /x/v1/log/{epoch}/tile/{level}/{index}`",
                "日志水位和散列片，供联署方和审计者",
            ),
            (
                "`GET /x/v1/log/{epoch}/consistency/{old}/{new}`",
                "一致性证明：日志后来的样子是不是从早先的长出来的；`plumbline receipts check` 用它",
            ),
            ("`GET /x/v1/time`", "平台时间"),
            ("`GET /v/{code}`，`GET /v/{code}/check?sha256=`", "查验监管码，比对 PDF，不用登录"),
            ("`GET /x/openapi.json`，`GET /x/schemas/{kind}.json`", "机器可读的接口描述和结构描述"),
        ),
    ),
    Heading("内容的规矩"),
    Items(
        (
            f"请求体是 UTF-8 的 JSON，最多 {MAX_BODY_BYTES // (1024 * 1024)} MiB，嵌套最多 {MAX_DEPTH} 层，同一对象里字段名不能重复。",
            '测量值写成字符串，如 `"884.2"`，保留末位的零；不用科学计数、空格、逗号、全角数字。写成 JSON 数字会被拒收。',
            "时刻按 RFC 3339，必须带时区，如 `2026-11-19T14:02:00+08:00`。",
            "文字用 NFC 规范形式，不能有控制字符、零宽字符和双向控制字符。",
            "没有列出的字段不收；可选的字段没有就不写，不写 `null` 也可以。",
            "平台只判断消息是否完整、是谁发的。过程不符合规定的照样收下，作为事实留存，另外记为问题。",
        )
    ),
)

KEYS: tuple[Block, ...] = (
    Paragraph("平台只保存公钥。私钥由单位自己生成、自己保管，不要交给任何人，包括平台。"),
    Table(
        ("密钥", "用途", "算法"),
        (
            ("传输 `transport`", "证明请求是谁发的", "Ed25519、P-256；HMAC-SHA256 也可以"),
            ("源头 `origin`", "机构对消息负责，可向第三方证明", "Ed25519、P-256"),
            ("设备 `device`", "采集设备对原始数据签名", "Ed25519、P-256"),
            ("个人 `person`", "审核人、批准人本人签名", "Ed25519、P-256"),
        ),
    ),
    Paragraph(
        "启用了国密套件的平台也收 SM2 签名，公钥是 65 字节未压缩点（04、x、y）的 base64；没有启用的平台答复 401。"
    ),
    Paragraph("国密套件的 HMAC-SM3 密钥至少 16 字节，与别的 HMAC 一样只证明请求是谁发的。"),
    Paragraph("只用 HMAC 的消息标为“对称签名，不能向第三方证明”，据此出的报告最多是“已登记”。"),
    Heading("生成"),
    Code(
        "openssl genpkey -algorithm ED25519 -out transport.pem\n"
        "openssl pkey -in transport.pem -pubout -outform DER | tail -c 32 | base64"
    ),
    Heading("登记"),
    Items(
        (
            "单位持统一社会信用代码，向监督站提交：密钥编号、算法、用途、公钥、有效期；设备密钥另写设备编号，个人密钥另写人员编号。",
            "密钥编号自己起，小写字母、数字、点、冒号、横线，4 到 80 个字符，全平台不重复，如 `chengce.origin.1`。",
            "监督站核对后发出 `key.enrolled`，5 秒内生效。此前用它发消息，答复是 401 `key-unknown` 和 Retry-After。",
            "私钥丢失或泄露，立即告知监督站；`key.revoked` 发出后 60 秒内停用。停用以前的签名仍然有效。",
            "换密钥时新旧可以同时有效，先登记新的，再停用旧的。",
        ),
        numbered=True,
    ),
)

SIGNATURE: tuple[Block, ...] = (
    Paragraph(
        "每个请求带 HTTP 消息签名（RFC 9421），只有一种写法。先算两个摘要："
        "`Content-Digest` 是整个请求体的 SHA-256，`Plumb-Message-Digest` 是消息部分（`message` 的原始字节）的 SHA-256，"
        "写法都是 `sha-256=:base64:`（RFC 9530）。没有消息部分的请求，两个摘要都对请求体算；没有请求体的，对空内容算。"
    ),
    Paragraph("然后把下面五行用换行符连起来签名，次序不能变："),
    Code(
        '"@method": POST\n"@target-uri": https://平台地址/x/v1/entries\n"content-digest": sha-256=:…:\n'
        '"plumb-message-digest": sha-256=:…:\n'
        '"@signature-params": ("@method" "@target-uri" "content-digest" "plumb-message-digest")'
        ';created=秒数;keyid="密钥编号";alg="ed25519"'
    ),
    Items(
        (
            "`@target-uri` 是平台公布的地址加路径和查询串，一字不差。",
            f"`created` 是 Unix 秒数，与平台相差不超过 {MAX_SKEW_S} 秒；超过的答复 401 `signature-stale`，按答复的 Date 校准后重新签名。",
            "`alg` 是 `ed25519`、`ecdsa-p256-sha256`（r 和 s 各 32 字节相连）、`hmac-sha256`、`sm2-sm3` 或 `hmac-sm3`。",
            "后两种只用于启用了国密套件的平台。`sm2-sm3` 是 SM2 配 SM3，用户标识 1234567812345678，r 和 s 各 32 字节相连。",
            "不以 `uid` 防重复的请求（文件）可以再加 `nonce`。",
            "两个请求头：`Signature-Input: sig1=…` 写最后一行冒号后的部分，`Signature: sig1=:base64:` 写签名。",
        )
    ),
)

ORIGIN: tuple[Block, ...] = (
    Paragraph(
        "传输签名证明请求是谁发的；源头签名证明这件事是谁做的，平台也不能伪造。试验、报告、签章、决定都应当带源头签名，"
        "用机构、设备或个人的密钥。可以有多个。"
    ),
    Paragraph(
        "被签名的字节：`plumb/origin/v1` 加一个换行符（0x0A），再加消息原始字节的 SHA-256（32 字节）。"
    ),
    Paragraph("消息没有规范形式：平台保存并摘要收到的原始字节，所以签名要对实际发送的字节算。报送体形如："),
    Code(
        '{"message": {…}, "origin": [{"key_id": "chengce.origin.1", "algorithm": "ed25519", "signature": "base64…"}], "personal": []}'
    ),
)

BATCH: tuple[Block, ...] = (
    Paragraph("消息多的时候可以一批只签一次。每条消息仍然各自报送，各带自己在批中的位置和路径。"),
    Items(
        (
            "叶子：`SHA-256(0x00 ‖ SHA-256(消息))`。",
            "树按 RFC 6962：结点 `SHA-256(0x01 ‖ 左 ‖ 右)`，左边取不超过总数的最大的 2 的幂。",
            "被签名的字节：`plumb/origin-batch/v1` 加换行符，加条数（8 字节，大端），加根（32 字节）。",
            "`path` 是从叶子到根每一层的兄弟结点，由下到上。",
        )
    ),
    Paragraph("测试向量在仓库的 src/plumbline/exchange/vectors/origin.json。"),
)

TOGETHER: tuple[Block, ...] = (
    Paragraph(
        f"积压的消息可以放在一个请求里：`POST /x/v1/batches`，一次 1 到 {MAX_SUBMISSIONS} 条，请求体一共最多 "
        f"{MAX_BODY_BYTES // (1024 * 1024)} MiB。每条消息仍然是自己的一条，各有自己的入账、回执和答复；有的收、有的不收，互不影响。"
    ),
    Code('{"submissions": [{"message": {…}, "origin": […]}, {"message": {…}}]}'),
    Items(
        (
            "`submissions` 的每一项与单条报送的请求体相同；请求体里没有别的字段。",
            "请求只签一次。`Content-Digest` 是整个请求体的 SHA-256。",
            "`Plumb-Message-Digest` 是这些字节的 SHA-256：`plumb/batch/v1` 加换行符，加条数（8 字节，大端），加根（32 字节）；"
            "根的算法与“批量签名”相同，叶子是各条消息部分的原始字节，次序与请求体相同。",
            "答复 200，`answers` 与报送的次序相同。收下的写 `status` 201（新的）或 200（以前收过）和回执；"
            "没有收的写 `status` 和 `problem`，与单条报送的错误相同，429、503 和刚登记的密钥（401 `key-unknown`）另写 "
            "`retry_after_s`，这些条等一会儿按原次序重发。",
            "签名、密钥、请求体写法不对的，整个请求不收，一条也不入账；改正后全部重发。",
            "收下的条在提交之后才答复。没有等到答复就全部原样重发，不会重复入账。",
            "速率按条计，与单条报送相同；从超过速率的那条起，后面的也都等下次，次序不乱。"
            "`Prefer: wait=秒数` 也可以用，每条的结果在自己的 `result` 里。",
        )
    ),
)

PERSONAL: tuple[Block, ...] = (
    Paragraph(
        "消息永久保存，所以消息里没有姓名、证件号、手机号，只有人员编号和摘要。个人信息放在报送体的 `personal` 部分，"
        "平台加密另存，可以销毁；销毁以后日志仍然能验证。"
    ),
    Items(
        (
            "取 16 个随机字节作盐。",
            '把 `{"fields":{…},"subject":"人员编号"}` 写成 JSON：字段名按字母排序，没有空格，空的字段不写，汉字不转义。',
            "摘要是 `SHA-256(盐 ‖ 这段 JSON)`，写进消息，也写进 `ref`。",
        ),
        numbered=True,
    ),
    Paragraph(
        "文字字段里出现身份证号或手机号，平台拒收（`personal-data`）。测试向量：vectors/personal.json。"
    ),
)

CURVE: tuple[Block, ...] = (
    Paragraph(
        "曲线按传感器的分辨率写成整数：第 i 点的值是 `整数 × scale`，单位 `unit`。"
        f"一条曲线最多 {MAX_POINTS // 10_000} 万点，超过的答复 413。"
        "点有两种给法，只能选一种：`values` 直接列出，`dzv` 压缩后 base64。点写在消息里，签名才盖得住。"
    ),
    Paragraph(
        "时刻也只能选一种：等间隔写 `period_us` 和 `start_us`，"
        "不等间隔写 `times_us` 或 `times_dzv`。有断点、时间倒退的曲线照样收下，但会记为问题。"
    ),
    Heading("dzv"),
    Items(
        (
            "每点减前一点，得差；第一点减 0。",
            "差 d 折叠成非负数：d ≥ 0 时为 2d，否则为 −2d − 1。",
            "每个数从低位起每 7 位写成一个字节，后面还有时最高位置 1（LEB128）。",
            "数不超过 53 位。",
        ),
        numbered=True,
    ),
)

FILES: tuple[Block, ...] = (
    Paragraph(
        "合同扫描件、影像、曲线文件、报告 PDF 用续传接口（tus 1.0），断了从断处继续。消息只写文件的 SHA-256，先发消息还是先传文件都可以。"
    ),
    Items(
        (
            "`POST /x/v1/files`，"
            "头 `Tus-Resumable: 1.0.0`、`Upload-Length`、`Upload-Metadata: sha256 base64…,media_type base64…`（值是文字的 base64）。"
            "201 给出 Location；200 表示平台已有，不用再传。",
            "1 MiB 以内的文件可以随登记一起送：同一个请求的正文放文件，`Content-Type: application/offset+octet-stream`；"
            "201 的 `Upload-Offset` 等于文件长度就是收齐了，不等就从那里续传。",
            "`PATCH` Location，`Content-Type: application/offset+octet-stream`，"
            "`Upload-Offset` 从 0 开始，每段最多 16 MiB，建议 1 MiB；204 给出新的位置。",
            "断了以后 `HEAD` Location，从 `Upload-Offset` 继续。409 `offset-mismatch` 也这样处理。",
            "全部收到后平台核对 SHA-256，落盘并记一条 `blob.stored`。对不上的答复 422，从头再传。",
        ),
        numbered=True,
    ),
    Paragraph("这几个请求同样要签名，两个摘要都对请求体算；POST 和 HEAD 没有请求体，对空内容算。"),
)

CODE: tuple[Block, ...] = (
    Paragraph("一份报告的监管码分三步办理。只有第三步之后监管码才有效。"),
    Items(
        (
            "申请：报送 `report.applied`，内容是报告的结构化数据。加 `Prefer: wait=10`，2 秒内得到结果：预留一个监管码和二维码声明；"
            "或者暂不发码，逐条写明原因、条文和改正办法。不合格的报告同样发码。拿不准时先 `POST /x/v1/dry-run` 试算。",
            "打印和签章：把监管码和二维码排进 PDF，再用机构自己的证书签章（PAdES，检测专用章和骑缝章），只能有一个版本。"
            "二维码内容是 `平台地址/v/监管码#声明`，全部大写。平台不保存机构和个人的签名私钥。",
            "登记：上传签好的 PDF，报送 `report.registered`，写明 SHA-256。此后任何人扫码都能查到；平台随后查验签章。",
        ),
        numbered=True,
    ),
    Paragraph(
        "签章以后改动一个字节，就不再是登记的那份。要改就出更正报告：新的申请，"
        "`version` 加 1，`replaces_code` 写原监管码。30 天没有登记的监管码失效。"
    ),
    Paragraph(
        "暂不发码只因为记录的事实：参数没有收下的试验，该有曲线的没有，时间次序不对，样品没有标识或见证，"
        "场所、参数、批准人不在核定范围，外省机构没有备案，委托方不符合检测类别。统计和复算差异不影响发码。"
    ),
)

NUMBERS: tuple[Block, ...] = (
    Items(
        (
            '单位编号：`SHA-256("plumb-party" ‖ 0x00 ‖ 统一社会信用代码)` 的前 16 字节，小写十六进制。',
            "`uid`：UUIDv7（RFC 9562），由发送方生成，写在被签名的内容里，就是防重复的编号。"
            f"其中的时间不能比平台快 {MAX_AHEAD_S} 秒以上，不能早于 {MAX_AGE_S // 86_400} 天；"
            "补报历史数据用现在的 uid，发生时间写在 `occurred_at`。",
            "入账编号：`SHA-256(单位编号 16 字节 ‖ uid 16 字节)` 的前 16 字节。"
            "消息里引用别的消息，一律写它的入账编号，所以发送之前就能算出来。",
            "人员编号：单位自己给每人定一个 32 位十六进制的随机数，不要由证件号算出。",
            "报告编号：机构、文件种类、前缀、场所、年度各成系列，受理时用 `number.taken` 取号，号码全机构不重复，作废的要写原因。",
            "监管码：21 位，年月 4 位、发码机构 3 位、随机 13 位、校验 1 位，没有 I、L、O、U；印刷时分组。",
        )
    ),
    Paragraph("同一个 `uid` 内容相同，答复 200 和原来的回执；内容不同，答复 409 `uid-conflict`。"),
)

TIME: tuple[Block, ...] = (
    Items(
        (
            "平台的时间在每个答复的 Date 头和 `/x/v1/time`。",
            "连接断开、超时、429、502、503：等一会儿原样重发，`uid` 和内容不变。"
            "等待时间从 0.5 秒起加倍，加一点随机，最多 30 秒；有 Retry-After 的按它。",
            "401 `key-unknown` 带 Retry-After 的：密钥刚登记，等 5 秒再发。",
            "其他 4xx：按 `remedy` 改正。内容变了就换新的 `uid`。",
            "`Prefer: wait=秒数`（RFC 7240）：等平台处理完再答复，结果在 `result`；到时间没处理完也照常答复。",
            "网络断开期间先存在本地，恢复后按次序补发，可以成批（见“成批报送”）；时间以 `occurred_at` 为准，补发会记为迟报。",
        )
    ),
)

CHANGES: tuple[Block, ...] = (
    Paragraph(
        "`GET /x/v1/changes?after=序号` 给出这个序号以后与本单位有关的条目：自己报送的，平台对本单位报告的决定。"
        "从 -1 开始，处理完把 `next` 记下来，下次接着取；`items` 为空就是没有新的了。"
    ),
    Heading("平台请求补传"),
    Paragraph(
        "平台恢复备份以后缺了确认过的内容时，变更里会有 `retransmit.requested`，`request` 写明缺日志的哪几段（`ranges`），"
        "或请对照哪个时刻以后的回执（`since`）。每个单位只看到给自己的请求。"
    ),
    Items(
        (
            "先报 `retransmit.answered`（`stage` 为 `begun`），`codes` 里出示平台发过的监管码的声明，原来的码才会再发给原来的申请；",
            "按原来的次序，用**原来的 `uid` 和内容**重报这些段里的各条，连同个人信息部分和文件；平台已有的照常答复，不会重复；",
            "一条消息引用了别的单位的条目时，先等 `GET /x/v1/entries/{entry}` 答 200；",
            "最后报 `retransmit.answered`（`stage` 为 `done`）：补了几条、平台原有几条、哪些补不了、为什么。",
        )
    ),
    Paragraph("开发包里的 `Answerer` 自动做完这些。"),
    Heading("改内容"),
    Paragraph(
        "已入账的不能改。要改就发同一类型的新消息，`supersedes` 写原来的入账编号，"
        "`reason` 写原因；整条不要了就发 `entry.withdrawn`。原来的都保留。"
    ),
    Heading("接口的版本"),
    Paragraph(
        "`v` 现为 1。增加可选字段、增加消息类型不换版本；其他变化用新的 `v` 和新的地址，旧版本至少保留一年，并在这里预告。"
    ),
)

MESSAGES = (
    "类型写在 `kind`。“谁可以发”按单位登记的角色判断；标“重要”的消息请带源头签名。示例是同一组混凝土试块的完整故事，"
    "单位和人员都是虚构的。"
)

PROBLEMS = "错误按 RFC 9457 答复，`type` 的最后一段就是代码；`errors` 逐个字段写原因和改法；询问平台时报 `instance`。"
