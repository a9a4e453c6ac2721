#!/usr/bin/env bash
# 只用 bash、curl、openssl 走完一份报告的全程：合同、取样、见证、委托、收样、试验、审批、申请监管码、签章、登记、查验。
#
# 用法：BASE_URL=平台地址 PARTIES=单位.conf RENDER=排版命令 SIGN=签章命令 WORK=空文件夹 ./curl_openssl.sh
#   PARTIES  各单位的编号、密钥文件、密钥编号，以及人员、工程、场所、设备的编号，写成 shell 变量
#   RENDER   机构自己的排版程序：$RENDER 报告.json 监管码 二维码内容 未签.pdf，输出页数
#   SIGN     机构自己的签章程序：$SIGN 未签.pdf --out 已签.pdf
set -euo pipefail
export LC_ALL=C.UTF-8 TZ=Asia/Shanghai
: "${BASE_URL:?}" "${PARTIES:?}" "${RENDER:?}" "${SIGN:?}" "${WORK:?}"
source "$PARTIES"
mkdir -p "$WORK/receipts"
cd "$WORK"

# uid：UUIDv7（RFC 9562），48 位毫秒时间、版本号 7、其余随机。
new_uid() {
  local ms random
  ms=$(printf '%012x' "$(date +%s%3N)")
  random=$(od -An -N10 -tx1 /dev/urandom | tr -d ' \n')
  printf '%s-%s-7%s-%x%s-%s' "${ms:0:8}" "${ms:8:4}" "${random:0:3}" \
    $((8 + 0x${random:3:1} % 4)) "${random:4:3}" "${random:7:12}"
}

# 入账编号：SHA-256(单位编号 16 字节 ‖ uid 16 字节) 的前 16 字节；发送之前就能算出来。
entry_id() { # 单位编号 uid
  printf '%b' "$(printf '%s%s' "$1" "${2//-/}" | sed 's/../\\x&/g')" | sha256sum | cut -c1-32
}

# 时刻：相对现在，如 “-28 days”；必须带时区。
at() { date -d "$1" +%Y-%m-%dT%H:%M:%S%:z; }

# 从平台的答复里取一个文字字段。
field() { grep -o "\"$1\":\"[^\"]*\"" "$2" | head -n 1 | cut -d'"' -f4; }

# 摘要头（RFC 9530）。
digest() { printf 'sha-256=:%s:' "$(openssl dgst -sha256 -binary "$1" | base64 -w0)"; }

# Ed25519 签名，base64。
sign() { openssl pkeyutl -sign -rawin -inkey "$1" -in "$2" | base64 -w0; }

# 传输签名（RFC 9421）：依次覆盖方法、地址、请求体摘要、消息摘要；写成 headers 文件，给 curl -H @headers 用。
sign_request() { # 单位 方法 路径 请求体文件 消息文件
  local key="${1}_TRANSPORT_KEY" id="${1}_TRANSPORT_ID" content message params
  content=$(digest "$4")
  message=$(digest "$5")
  params='("@method" "@target-uri" "content-digest" "plumb-message-digest")'
  params+=";created=$(date +%s);keyid=\"${!id}\";alg=\"ed25519\""
  # 五行用换行符相连，末尾没有换行。
  printf '"@method": %s\n"@target-uri": %s\n"content-digest": %s\n"plumb-message-digest": %s\n"@signature-params": %s' \
    "$2" "$BASE_URL$3" "$content" "$message" "$params" > base.txt
  printf '%s\n' "Content-Digest: $content" "Plumb-Message-Digest: $message" \
    "Signature-Input: sig1=$params" "Signature: sig1=:$(sign "${!key}" base.txt):" > headers
}

# 消息和报送体：消息由发送单位做源头签名，签的是 “plumb/origin/v1” 换行，再加消息字节的 SHA-256。
make_submission() { # 单位 类型 发生时刻 其余字段
  local key="${1}_ORIGIN_KEY" id="${1}_ORIGIN_ID" sender="${1}_PARTY" uid
  uid=$(new_uid)
  ENTRY=$(entry_id "${!sender}" "$uid")
  printf '{"kind":"%s","v":1,"uid":"%s","sender":"%s","occurred_at":"%s",%s}' \
    "$2" "$uid" "${!sender}" "$3" "$4" > message.json
  { printf 'plumb/origin/v1\n'; openssl dgst -sha256 -binary message.json; } > origin.bin
  { printf '{"message":'; cat message.json
    printf ',"origin":[{"key_id":"%s","algorithm":"ed25519","signature":"%s"}]}' \
      "${!id}" "$(sign "${!key}" origin.bin)"; } > body.json
}

# 发送：连不上、429、502、503，或密钥刚登记（401），等一会儿原样重发；别的拒收说明原因后停下。
send() { # 单位 路径 [curl 的其他参数]
  local party=$1 path=$2 status wait=1
  shift 2
  for _ in 1 2 3 4 5 6; do
    sign_request "$party" POST "$path" body.json message.json
    status=$(curl -sS -o answer.json -w '%{http_code}' -H @headers -H 'Content-Type: application/json' \
      "$@" --data-binary @body.json "$BASE_URL$path" || true)
    case $status in
      200 | 201) return ;;
      000 | 401 | 429 | 502 | 503) sleep "$wait"; wait=$((wait * 2)) ;;
      *) break ;;
    esac
  done
  printf '没有收下（%s）：%s；%s\n' "$status" "$(field detail answer.json)" "$(field remedy answer.json)" >&2
  exit 1
}

# 报送一条消息，保存回执；之后 $ENTRY 是它的入账编号。
post_entry() { # 单位 类型 发生时刻 其余字段 [curl 的其他参数]
  make_submission "$1" "$2" "$3" "$4"
  send "$1" /x/v1/entries "${@:5}"
  [ "$(field entry answer.json)" = "$ENTRY" ]
  printf '%b' "$(field receipt answer.json)" > "receipts/$ENTRY.receipt"
  cp message.json "receipts/$ENTRY.message.json"
  printf '已入账 %s %s\n' "$2" "$ENTRY"
}

# 一、合同：检测机构报送，建设单位委托。
year=$(date +%Y)
serial=${SERIAL:-1}
mark=$(printf 'CO%s%03d' "$year" "$serial")
post_entry INSTITUTION contract.signed "$(at '-30 days')" "\"project\":\"$PROJECT\",
  \"number\":\"HT-$mark\",\"client\":\"$OWNER_PARTY\",\"client_role\":\"owner\",
  \"institution\":\"$INSTITUTION_PARTY\",\"signed_on\":\"$(date -d '-30 days' +%F)\",
  \"scope\":[{\"category\":\"concrete_cube\",\"parameters\":[\"concrete_cube.compressive\"]}]"
contract=$ENTRY

# 二、领标识、取样：施工单位。一组三件，每件一个标识。
tags=("BS$mark-1" "BS$mark-2" "BS$mark-3")
post_entry CONTRACTOR tag.issued "$(at '-28 days -1 hour')" "\"project\":\"$PROJECT\",
  \"tags\":[\"${tags[0]}\",\"${tags[1]}\",\"${tags[2]}\"],\"medium\":\"qr\",\"issued_to\":\"$SAMPLER\""
specimens=
for n in 1 2 3; do
  specimens+="${specimens:+,}{\"ordinal\":$n,\"tag\":\"${tags[n - 1]}\",
    \"nominal\":[{\"name\":\"edge\",\"value\":\"150\",\"unit\":\"mm\"}]}"
done
post_entry CONTRACTOR sampling.recorded "$(at '-28 days +10 minutes')" "\"project\":\"$PROJECT\",
  \"sample_kind\":\"concrete_cube\",\"structural_part\":\"三层 ③至⑤ 轴梁板\",\"grade\":\"C30\",
  \"curing\":\"standard\",\"required_age_d\":28,\"made_at\":\"$(at '-28 days')\",\"sampler\":\"$SAMPLER\",
  \"specimens\":[$specimens],\"missing_pictures\":\"脚本演示，没有拍照\""
sample=$ENTRY

# 三、见证：监理单位。
post_entry ENGINEER witnessing.recorded "$(at '-28 days +15 minutes')" "\"sample\":\"$sample\",
  \"witness\":\"$WITNESS\",\"witnessed_at\":\"$(at '-28 days +15 minutes')\",\"seal\":\"FZ$mark\",
  \"missing_pictures\":\"脚本演示，没有拍照\""

# 四、委托：建设单位。
post_entry OWNER commission.placed "$(at '-1 day')" "\"contract\":\"$contract\",
  \"institution\":\"$INSTITUTION_PARTY\",\"number\":\"WT-$mark\",\"test_category\":\"witnessed\",
  \"samples\":[\"$sample\"],\"requests\":[{\"category\":\"concrete_cube\",
  \"parameters\":[\"concrete_cube.compressive\"],\"method\":\"concrete_cube\",\"edition\":\"GB/T 50081-2019\"}],
  \"submitter\":\"$CLIENT\",\"witness\":\"$WITNESS\""
commission=$ENTRY

# 五、收样、取号：检测机构逐件扫描标识；受理即取委托编号和报告编号。
take_number() { # 文件种类 前缀 完整编号
  post_entry INSTITUTION number.taken "$(at '-20 hours')" "\"document_kind\":\"$1\",\"prefix\":\"$2\",
    \"site\":\"$SITE\",\"year\":$year,\"serial\":$serial,\"number\":\"$3\",\"commission\":\"$commission\""
}
scanned=
for tag in "${tags[@]}"; do
  scanned+="${scanned:+,}{\"tag\":\"$tag\",\"seal_intact\":true,\"condition\":\"外观完好\"}"
done
take_number commission WT "WT-$mark"
post_entry INSTITUTION receipt.recorded "$(at '-20 hours')" "\"commission\":\"$commission\",
  \"sample\":\"$sample\",\"site\":\"$SITE\",\"receiver\":\"$RECEIVER\",\"scanned\":[$scanned],
  \"accepted\":true,\"witness_present\":true,\"missing_pictures\":\"脚本演示，没有拍照\""
take_number report CO "BG-$mark"
number=$ENTRY

# 六、曲线：dzv 编码。每点减前一点，差折叠成非负数，从低位起 7 位一个字节（LEB128），再做 base64。
dzv() { # 整数…
  local previous=0 value z bytes=
  for value in "$@"; do
    z=$((value - previous))
    z=$((z >= 0 ? 2 * z : -2 * z - 1))
    previous=$value
    while ((z >= 128)); do
      printf -v bytes '%s\\x%02x' "$bytes" $((z & 127 | 128))
      z=$((z >> 7))
    done
    printf -v bytes '%s\\x%02x' "$bytes" "$z"
  done
  printf '%b' "$bytes" | base64 -w0
}

# 一件试件的力-时间曲线：每 0.1 s 一点，单位 0.1 kN，约 0.6 MPa/s 加到破坏，然后掉载。
curve_points() { # 破坏荷载（0.1 kN）
  local force
  for ((force = 0; force < $1; force += 13)); do printf '%d ' "$force"; done
  printf '%d %d %d %d' "$1" $(($1 * 9 / 10)) $(($1 * 6 / 10)) $(($1 * 3 / 10))
}

# 七、试验：三件的破坏荷载（0.1 kN）；强度、代表值都由荷载算出，修约到 0.1 MPa。
tenths() { printf '%d.%d' $(($1 / 10)) $(($1 % 10)); }
loads=(8842 9013 8770)
runs= values= sum=0
for n in 1 2 3; do
  load=${loads[n - 1]}
  start="-2 hours +$((n * 5)) minutes"
  points=($(curve_points "$load"))
  runs+="${runs:+,}{\"ordinal\":$n,\"tag\":\"${tags[n - 1]}\",\"started_at\":\"$(at "$start")\",
    \"finished_at\":\"$(at "$start +$((${#points[@]} / 10)) seconds")\",
    \"dimensions\":[{\"name\":\"width_mm\",\"value\":\"150\",\"unit\":\"mm\"},
      {\"name\":\"height_mm\",\"value\":\"150\",\"unit\":\"mm\"},{\"name\":\"length_mm\",\"value\":\"150\",\"unit\":\"mm\"}],
    \"readings\":[{\"name\":\"load_kN\",\"value\":\"$(tenths "$load")\",\"unit\":\"kN\"}],
    \"curve\":{\"started_at\":\"$(at "$start")\",\"sampling_rate_hz\":\"10.0\",\"channels\":[{\"channel\":\"force\",
      \"unit\":\"kN\",\"scale\":\"0.1\",\"count\":${#points[@]},\"period_us\":100000,\"dzv\":\"$(dzv "${points[@]}")\"}]}}"
  # 强度 = 荷载 ÷ (150 × 150 mm²)；以 0.1 MPa 计是 荷载 × 2 ÷ 45，加一半再取整就是四舍五入，不会正好居中。
  strength=$(((load * 4 + 45) / 90))
  sum=$((sum + strength))
  values+="{\"symbol\":\"strength\",\"name\":\"单块抗压强度\",\"value\":\"$(tenths "$strength")\",\"unit\":\"MPa\",\"ordinal\":$n},"
done
mean=$(tenths $(((2 * sum + 3) / 6)))
values+="{\"symbol\":\"value\",\"name\":\"抗压强度代表值\",\"value\":\"$mean\",\"unit\":\"MPa\"}"
post_entry INSTITUTION run.recorded "$(at '-90 minutes')" "\"commission\":\"$commission\",\"sample\":\"$sample\",
  \"site\":\"$SITE\",\"category\":\"concrete_cube\",\"parameters\":[\"concrete_cube.compressive\"],
  \"method\":\"concrete_cube\",\"edition\":\"GB/T 50081-2019\",\"instrument\":\"$INSTRUMENT\",
  \"technician\":\"$TECHNICIAN\",\"data_origin\":\"acquired\",\"started_at\":\"$(at '-2 hours +5 minutes')\",
  \"finished_at\":\"$(at '-90 minutes')\",\"grade\":\"C30\",\"specimens\":[$runs],
  \"missing_pictures\":\"脚本演示，没有拍照\""
run=$ENTRY

# 八、审核、批准。
post_entry INSTITUTION review.recorded "$(at '-1 hour')" \
  "\"run\":\"$run\",\"step\":\"review\",\"person\":\"$REVIEWER\",\"decision\":\"accepted\""
post_entry INSTITUTION review.recorded "$(at '-30 minutes')" \
  "\"run\":\"$run\",\"step\":\"approval\",\"person\":\"$APPROVER\",\"decision\":\"accepted\""

# 九、申请监管码：先试算，再申请；Prefer: wait 让平台作出决定后才答复。
report="\"commission\":\"$commission\",\"number_entry\":\"$number\",\"number\":\"BG-$mark\",
  \"title\":\"混凝土立方体抗压强度检测报告\",\"site\":\"$SITE\",\"category\":\"concrete_cube\",
  \"samples\":[\"$sample\"],\"parameters\":[{\"parameter\":\"concrete_cube.compressive\",
  \"method\":\"concrete_cube\",\"edition\":\"GB/T 50081-2019\",\"runs\":[\"$run\"],\"requirement\":\"C30\",
  \"values\":[$values],\"conclusion\":\"NOT_JUDGED\"}],\"conclusion\":\"NOT_JUDGED\",
  \"conclusion_text\":\"该组试件抗压强度代表值为 $mean MPa。\",\"tested_by\":[\"$TECHNICIAN\"],
  \"reviewer\":\"$REVIEWER\",\"reviewed_at\":\"$(at '-1 hour')\",\"approver\":\"$APPROVER\",
  \"approved_at\":\"$(at '-30 minutes')\",\"issued_on\":\"$(date +%F)\""
make_submission INSTITUTION report.applied "$(at now)" "$report"
send INSTITUTION /x/v1/dry-run
grep -q '"reserved":true' answer.json || { printf '试算不发码：%s\n' "$(cat answer.json)" >&2; exit 1; }
post_entry INSTITUTION report.applied "$(at now)" "$report" -H 'Prefer: wait=20'
application=$ENTRY
cp message.json application.json
sed 's/.*"decision"://' answer.json > decision.json
[ "$(field state decision.json)" = reserved ] || { printf '没有发码：%s\n' "$(cat answer.json)" >&2; exit 1; }
code=$(field code decision.json)
claims=$(field claims decision.json)
printf '监管码 %s\n' "$code"

# 十、排版、签章：二维码内容是“平台地址/v/监管码#声明”，全部大写；先排进 PDF，再签章。
qr=$(printf '%s/v/%s#%s' "$BASE_URL" "$code" "$claims" | tr '[:lower:]' '[:upper:]')
pages=$($RENDER application.json "$code" "$qr" unsigned.pdf)
$SIGN unsigned.pdf --out signed.pdf
sha256=$(sha256sum signed.pdf | cut -c1-64)
size=$(wc -c < signed.pdf)

# 十一、上传（tus 1.0）：先登记长度和摘要，再从平台收到的位置接着传，断了重来一遍即可。
: > empty
tus() { # 方法 路径 请求体文件 [curl 的其他参数]；答复的头写进 answer.head
  sign_request INSTITUTION "$1" "$2" "$3" "$3"
  curl -sS -f -o /dev/null -D answer.head -H @headers -H 'Tus-Resumable: 1.0.0' "${@:4}" "$BASE_URL$2"
}
head_value() { sed -n "s/^$1: *//Ip" answer.head | tr -d '\r'; }
metadata="sha256 $(printf '%s' "$sha256" | base64 -w0),media_type $(printf application/pdf | base64 -w0)"
tus POST /x/v1/files empty -X POST -H "Upload-Length: $size" -H "Upload-Metadata: $metadata"
location=$(head_value Location)
if grep -q '^HTTP/[0-9.]* 201' answer.head; then
  tus HEAD "$location" empty --head
  offset=$(head_value Upload-Offset)
  while ((offset < size)); do
    tail -c +$((offset + 1)) signed.pdf | head -c "${CHUNK:-1048576}" > chunk || true
    tus PATCH "$location" chunk -X PATCH -H 'Content-Type: application/offset+octet-stream' \
      -H "Upload-Offset: $offset" --data-binary @chunk
    offset=$(head_value Upload-Offset)
  done
fi
printf '已上传 %s 字节\n' "$size"

# 十二、登记终稿：此后监管码才有效。
post_entry INSTITUTION report.registered "$(at now)" "\"application\":\"$application\",\"code\":\"$code\",
  \"pdf_sha256\":\"$sha256\",\"pdf_bytes\":$size,\"pages\":$pages,\"signed_at\":\"$(at now)\",
  \"certificate_sha256\":\"$CERTIFICATE_SHA256\"" -H 'Prefer: wait=20'

# 十三、查验：谁都可以问，不用登录。平台查过签章以后说真；改动一个字节，就说被改过。
check() { curl -sS -f "$BASE_URL/v/$code/check?sha256=$(sha256sum "$1" | cut -c1-64)" > check.json; field kind check.json; }
for _ in 1 2 3 4 5 6 7 8 9 10; do
  found=$(check signed.pdf)
  case $found in genuine | genuine_demo) break ;; esac
  sleep 1
done
byte=$(od -An -j 999 -N 1 -tu1 signed.pdf)
{ head -c 999 signed.pdf; printf '%b' "$(printf '\\x%02x' $((byte ^ 1)))"; tail -c +1001 signed.pdf; } > changed.pdf
printf '登记的原件：%s\n改动一个字节：%s\n' "$found" "$(check changed.pdf)"
