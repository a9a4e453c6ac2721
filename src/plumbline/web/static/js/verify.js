/* Public verification: hold a PDF, the QR code's claims, or the paper against what is registered. The page's own
   verdict stands without this script. */
(function () {
  "use strict";
  var box = document.querySelector("[data-verify]");
  if (!box) { return; }
  var head = document.querySelector("[data-verdict]");
  var use = head.querySelector("use"), sprite = use.getAttribute("href").replace(/#.*/, "");
  var LARGEST = 200 * 1024 * 1024;
  function part(name) { return box.querySelector("[data-" + name + "]"); }
  function thousands(n) { return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009"); }
  function node(name, className, text) {
    var element = document.createElement(name);
    if (className) { element.className = className; }
    if (text !== undefined) { element.textContent = text; }
    return element;
  }

  function verdict(answer) {
    head.className = "verdict-head tone-" + answer.tone;
    use.setAttribute("href", sprite + "#" + answer.icon);
    var title = head.querySelector("[data-verdict-headline]");
    title.textContent = "";
    answer.headline.split(/(?<=，)/).forEach(function (words) { title.append(node("span", "part", words)); });
    head.querySelector("[data-verdict-detail]").textContent = answer.detail;
    document.title = answer.headline + " · 准绳";
    head.scrollIntoView({ block: "nearest" });
    head.focus({ preventScroll: true });
  }

  /* What the page says by itself, to go back to when the next file is none; `forged` once the code itself is bad. */
  var forged = false;
  var own = { tone: head.className.replace(/^.*tone-/, ""), icon: use.getAttribute("href").split("#")[1],
    headline: head.querySelector("[data-verdict-headline]").textContent, detail: head.querySelector("[data-verdict-detail]").textContent };
  var changed = !part("differences").hidden;

  function clear() {
    if (!changed) { return; }
    verdict(own);
    differences({}, "");
    if (part("after-changed")) { part("after-changed").hidden = true; }
    changed = false;
  }

  function differences(answer, appended) {
    var block = part("differences"), rows = part("difference-rows"), note = part("appended");
    rows.textContent = "";
    (answer.differences || []).forEach(function (item) {
      var pair = node("div", "pair");
      [["registered", "登记的原件 ", item.registered], ["presented", "您的文件 ", item.presented]].forEach(function (side) {
        var cell = node("div", side[0]);
        cell.append(node("span", "", side[1] + (item.place || "")), node("b", "", side[2]), node("span", "", item.label));
        pair.append(cell);
      });
      rows.append(pair);
    });
    note.hidden = !appended;
    note.textContent = appended;
    block.hidden = !rows.children.length && !appended;
  }

  /* Say what can be said about a file that is not the registered one, from its bytes alone. */
  function reason(buffer) {
    var registered = Number(box.dataset.bytes), size = buffer.byteLength;
    var scan = "如果它是扫描或拍照做成的 PDF，指纹本来就不同，请按登记的内容逐项核对纸面。";
    if (!registered) { return Promise.resolve(scan); }
    if (size === registered) { return Promise.resolve("两个文件一样长，但有字节不同。"); }
    if (size < registered) { return Promise.resolve("您的文件比原件少 " + thousands(registered - size) + " 字节。" + scan); }
    return plumblineSha256.digest(buffer.slice(0, registered)).then(function (digest) {
      return digest === box.dataset.digest ? "签章之后追加了 " + thousands(size - registered) + " 字节。签章只覆盖前面的原件。" : "您的文件比原件多 " + thousands(size - registered) + " 字节。" + scan;
    });
  }

  function ask(digest) {
    return fetch(box.dataset.check + "?sha256=" + digest, { headers: { Accept: "application/json" } }).then(function (response) {
      if (!response.ok) { throw new Error(String(response.status)); }
      return response.json();
    });
  }

  function hold(file) {
    var note = part("file-note"), words = part("drop-words");
    if (!file) { return; }
    clear();
    if (file.size > LARGEST) { note.textContent = "文件太大，检测报告不会超过 200 MB。请确认选的是报告。"; return; }
    note.textContent = "正在计算“" + file.name + "”的指纹…";
    file.arrayBuffer().then(function (buffer) {
      if (String.fromCharCode.apply(null, new Uint8Array(buffer.slice(0, 5))) !== "%PDF-") {
        note.textContent = "“" + file.name + "”不是 PDF 文件。照片和 Word 不能这样核对。";
        return null;
      }
      return plumblineSha256.digest(buffer).then(function (digest) {
        return ask(digest).then(function (answer) { return answered(file, buffer, digest, answer); });
      });
    }).catch(function () {
      note.textContent = "现在连不上平台，没有比出结果。文件没有上传，请稍后再选一次。";
    }).then(function () { words.textContent = "换一个 PDF"; });
  }

  function answered(file, buffer, digest, answer) {
    part("file-note").textContent = "核对的是“" + file.name + "”，指纹 " + digest.slice(0, 8) + " … " + digest.slice(-8) + "。我们没有保存您的文件。" + (answer.problem_number ? " 问题编号 " + answer.problem_number : "");
    changed = answer.kind === "changed";
    if (changed || !forged) { verdict(answer); }
    var after = part("after-changed"), evidence = part("complaint-file");
    if (after) { after.hidden = answer.kind !== "changed"; }
    if (evidence) { evidence.value = answer.kind === "changed" ? digest : ""; }
    if (answer.kind !== "changed") { differences({}, ""); return null; }
    return reason(buffer).then(function (sentence) { differences(answer, sentence); });
  }

  function setUpFile() {
    var input = part("file-input"), drop = part("drop");
    if (!input) { return; }
    input.addEventListener("change", function () { hold(input.files[0]); input.value = ""; });
    document.addEventListener("dragover", function (event) { event.preventDefault(); drop.classList.add("is-over"); });
    document.addEventListener("dragleave", function (event) { if (!event.relatedTarget) { drop.classList.remove("is-over"); } });
    document.addEventListener("drop", function (event) {
      event.preventDefault();
      drop.classList.remove("is-over");
      hold(event.dataTransfer.files[0]);
    });
  }

  function claimRow(label, printed, registered) {
    var same = printed === registered, row = node("div", "fact" + (same ? "" : " mismatch")), value = node("dd");
    value.append(node("b", "", printed));
    if (!same) { value.append(node("span", "", "登记的是 " + registered)); }
    row.append(node("dt", "", label), value);
    return row;
  }

  /* Hold the claims in the scanned code against those that were registered for it. */
  function setUpClaims() {
    var fragment = location.hash.slice(1), registered = box.dataset.claims;
    if (!/^[A-Za-z2-7]{150,}$/.test(fragment) || !registered) { return; }
    var printed = plumblineClaims.read(fragment), known = plumblineClaims.read(registered);
    var block = part("claims-block"), rows = part("claims-rows"), title = part("claims-title");
    var same = fragment.toUpperCase() === registered.toUpperCase();
    if (printed && known) {
      var name = box.dataset.institution;
      rows.append(claimRow("报告编号", printed.number, known.number), claimRow("结论", printed.verdict, known.verdict), claimRow("发码日", printed.day, known.day),
        claimRow("检测机构", printed.institution === known.institution ? name : "另一家机构", name));
    }
    block.hidden = false;
    if (same) { return; }
    block.classList.add("is-bad");
    title.textContent = "码上印的内容与登记的不一样";
    forged = true;
    own = { tone: "bad", icon: "shield-x", headline: "这个二维码被改过，请不要采用", detail: "码上印的内容与平台登记的不一样。请向检测机构要原件，也可以告诉监督机构。" };
    verdict(own);
  }

  function thank(text) {
    var thanks = part("paper-thanks");
    thanks.querySelector("span").textContent = text;
    thanks.hidden = false;
    part("paper-choice").hidden = true;
  }

  function complain(form, event) {
    event.preventDefault();
    var problem = form.querySelector("[data-complaint-problem]"), button = form.querySelector("button");
    problem.hidden = true;
    button.disabled = true;
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } }).then(function (response) {
      return response.json().then(function (answer) {
        if (!response.ok) { throw new Error(answer.detail || answer.title || ""); }
        part("complaint").open = false;
        thank("已收到，编号 " + answer.number + "。监督机构会核对，请留好纸面报告。");
      });
    }).catch(function (error) {
      problem.textContent = (error instanceof TypeError || !error.message ? "没有送出去，现在连不上平台。" : error.message) + " 您写的还在，可以再提交一次。";
      problem.hidden = false;
      button.disabled = false;
    });
  }

  function setUpPaper() {
    if (!part("paper")) { return; }
    var complaint = part("complaint"), differs = part("paper-differs");
    part("paper-choice").hidden = false;
    part("paper-same").addEventListener("click", function () { complaint.open = false; thank("好。纸面与登记的内容一致。"); });
    differs.addEventListener("click", function () {
      complaint.open = !complaint.open;
      differs.setAttribute("aria-expanded", String(complaint.open));
      if (complaint.open) { complaint.querySelector("select").focus(); }
    });
    var report = part("report-file");
    if (report) {
      report.addEventListener("click", function (event) {
        event.preventDefault();
        complaint.open = true;
        complaint.querySelector("select").value = "file";
        complaint.scrollIntoView({ block: "start" });
        complaint.querySelector("textarea").focus({ preventScroll: true });
      });
    }
    complaint.querySelector("form").addEventListener("submit", function (event) { complain(event.target, event); });
  }

  setUpFile();
  setUpPaper();
  setUpClaims();
})();
