/* A running test, read only: appends what the stream brings, without tween. The rate and the corridor shown here are
   a guide for the eye; what counts is judged by the platform from the stored curve. */
(function () {
  "use strict";
  var box = document.querySelector("[data-live]");
  if (!box) { return; }
  var curves = window.plumblineCurves;
  function part(name) { return box.querySelector("[data-" + name + "]"); }
  var state = document.querySelector("[data-live-state]");
  var area = Number(box.dataset.area), windowSeconds = Number(box.dataset.window) || 3;
  var low = Number(box.dataset.bandLow) || null, high = Number(box.dataset.bandHigh) || null;
  var design = Number(box.dataset.designForce) || null;
  var forceMax = Number(box.dataset.forceMax) || 1000, timeMax = Number(box.dataset.timeMax) || 90;
  var time = [], force = [], gaps = [], peers = [], timing = null, ended = null, decimals = 1, waiting = false, interval = null, scale = 1, bands = JSON.parse(box.dataset.bands || "{}");
  var holder = box.querySelector("[data-live-chart]");
  var chart = window.echarts.init(holder, null, { renderer: "canvas" });
  var gaugeMax = high ? curves.roundUp(high * 1.25) : 1;

  function say(tone, icon, word) {
    state.className = "tag tag-" + tone;
    var use = state.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, "#" + icon));
    state.lastChild.textContent = word;
  }
  function tag(element, tone, icon, word) {
    element.className = "tag tag-" + tone;
    var use = element.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, "#" + icon));
    element.lastChild.textContent = word;
  }

  /* Slope of the last window by least squares, in MPa/s; null before the window is full. */
  function rate() {
    var n = time.length, from = n - 1;
    if (!n) { return null; }
    while (from > 0 && time[n - 1] - time[from] < windowSeconds) { from -= 1; }
    if (time[n - 1] - time[from] < windowSeconds * .95) { return null; }
    var count = n - from, mt = 0, mf = 0, i;
    for (i = from; i < n; i += 1) { mt += time[i]; mf += force[i]; }
    mt /= count; mf /= count;
    var above = 0, below = 0;
    for (i = from; i < n; i += 1) { above += (time[i] - mt) * (force[i] - mf); below += (time[i] - mt) * (time[i] - mt); }
    return below > 0 ? above / below * 1000 / area : null;
  }

  function corridor(colours) {
    if (!timing || !low || !high) { return []; }
    function line(limit) {
      var slope = limit * area / 1000, end = Math.min(timeMax, timing[0] + (forceMax - timing[1]) / slope);
      return [[timing[0], timing[1]], [end, timing[1] + slope * (end - timing[0])]];
    }
    var upper = line(high), lower = line(low);
    var corners = [upper[0], upper[1]];
    if (upper[1][0] < timeMax) { corners.push([lower[1][0], forceMax]); }
    corners.push(lower[1]);
    return [{ type: "custom", silent: true, z: 1, data: [0], renderItem: function (params, api) {
      return { type: "polygon", shape: { points: corners.map(function (c) { return api.coord(c); }) }, style: { fill: colours.okTint, opacity: .75 } };
    } }, { type: "line", silent: true, showSymbol: false, z: 2, lineStyle: { color: colours.ok, width: 1, opacity: .5 }, data: lower }];
  }

  function axis(colours, name, max, step) {
    return { type: "value", min: 0, max: max, interval: step, name: name, nameLocation: "end", nameGap: 8, nameTextStyle: name === "kN" ? { color: colours.ink2, fontSize: 13 } : { color: colours.ink2, fontSize: 13, align: "right", verticalAlign: "top", padding: [30, 0, 0, 0] },
      axisLabel: { color: colours.ink2, fontSize: 13, formatter: function (v) { return curves.thousands(Math.round(v * 10) / 10); } },
      axisLine: { show: true, lineStyle: { color: colours.line2 } }, axisTick: { show: false }, splitLine: { show: name === "kN", lineStyle: { color: colours.line } } };
  }

  function paint() {
    var colours = curves.palette();
    var columns = Math.max(200, holder.clientWidth - 90), last = time.length - 1;
    while (last >= 0 && time[last] > timeMax * .98) { timeMax = Math.ceil(timeMax * 1.25 / 10) * 10; }
    while (last >= 0 && curves.highest(force) > forceMax) { forceMax = curves.roundUp(forceMax * 1.2); }
    var marks = [];
    if (timing) { marks.push({ xAxis: timing[0], label: { formatter: "进入允许速度", position: "end", align: timing[0] > timeMax * .7 ? "right" : "left", padding: [20, 8, 0, 8] } }); }
    if (design) { marks.push({ yAxis: design, label: { formatter: box.dataset.designLabel + "  " + box.dataset.designForce + " kN", position: "insideStartTop", padding: [0, 0, 0, 130] } }); }
    var points = curves.broken(curves.thin(time, force, columns, 0, timeMax), gaps);
    chart.setOption({ animation: false, textStyle: { fontFamily: curves.font }, grid: { left: 60, right: 30, top: 34, bottom: 52 },
      xAxis: axis(colours, "时间 s", timeMax, curves.roundUp(timeMax / 10)), yAxis: axis(colours, "kN", forceMax, forceMax / 5),
      series: corridor(colours).concat(peers.map(function (peer) {
        return { type: "line", silent: true, showSymbol: false, z: 3, lineStyle: { color: colours.ctl, width: 1 }, data: curves.thin(peer.time_s, peer.force_kN, columns, 0, timeMax) };
      }), [{ type: "line", showSymbol: false, z: 5, connectNulls: false, lineStyle: { color: colours.acc, width: 3 }, data: points,
        markLine: { silent: true, symbol: "none", animation: false, lineStyle: { color: colours.ink2, type: [4, 3], width: 1 }, label: { color: colours.ink2, fontSize: 13, fontFamily: curves.font, rotate: 0 }, data: marks } },
      { type: "scatter", silent: true, symbolSize: 10, z: 6, itemStyle: { color: ended ? colours.surface : colours.acc, borderColor: colours.acc, borderWidth: 2, opacity: 1 },
        data: last < 0 ? [] : [{ value: ended ? peak() : [time[last], force[last]], label: { show: true, position: (ended ? peak()[0] : time[last]) > timeMax * .7 ? "left" : "right", distance: 12, formatter: (ended ? "最大 " + peak()[1].toFixed(decimals) : force[last].toFixed(decimals)) + " kN", color: colours.ink, fontSize: 15, fontWeight: 600, fontFamily: curves.font } }] }]) },
      { replaceMerge: ["series"] });
  }

  function peak() {
    var best = 0;
    for (var i = 1; i < force.length; i += 1) { if (force[i] > force[best]) { best = i; } }
    return [time[best], force[best]];
  }

  function readings() {
    var last = time.length - 1;
    if (last < 0) { return; }
    var shown = ended ? peak()[1] : force[last];
    part("force").textContent = curves.thousands(shown.toFixed(decimals));
    part("stress").textContent = (shown * 1000 / area).toFixed(2);
    part("elapsed").textContent = time[last].toFixed(1);
    box.querySelector("[data-count]").textContent = curves.thousands(time.length);
    box.querySelector("[data-gap-note]").textContent = gaps.length ? "，" + gaps.length + " 处缺口" : "，无缺口";
    var now = rate(), word = part("rate-state"), broken = force[last] < peak()[1] * .7 && peak()[1] > 20;
    if (ended || broken) {
      part("rate").textContent = "–";
      if (part("needle")) { part("needle").hidden = true; }
      if (!ended) { tag(word, "off", "circle-dashed", "已过最大力"); }
      return;
    }
    part("rate").textContent = now === null ? "–" : now.toFixed(2).replace("-", "\u2212");
    if (now === null || !low) { return; }
    if (timing === null && now >= low && now <= high) { timing = [time[last], force[last]]; }
    var needle = part("needle");
    needle.hidden = false;
    needle.style.left = Math.max(0, Math.min(100, now / gaugeMax * 100)) + "%";
    if (timing === null) { tag(word, "off", "circle-dashed", "接触段"); }
    else if (now < low) { tag(word, "warn", "alert-triangle", "低于允许"); }
    else if (now > high) { tag(word, "warn", "alert-triangle", "高于允许"); }
    else { tag(word, "ok", "circle-check", "在允许范围"); }
  }

  function refresh() {
    if (waiting) { return; }
    waiting = true;
    requestAnimationFrame(function () { waiting = false; readings(); paint(); });
  }

  /* A machine's stream says with each start what is on it: grade, part, scale of the readings, loaded area. */
  function describe(meta) {
    if (meta.scale !== undefined) { scale = Number(meta.scale) || 1; decimals = (String(meta.scale).split(".")[1] || "").length; }
    if (meta.area_mm2) { area = Number(meta.area_mm2); }
    var band = meta.grade && bands[meta.grade];
    if (band) {
      low = Number(band[0]); high = Number(band[1]);
      box.dataset.bandLow = band[0]; box.dataset.bandHigh = band[1];
      gaugeMax = curves.roundUp(high * 1.25);
      part("band-text").textContent = "允许 " + band[0] + "–" + band[1];
      gauge();
    }
    if (/^C[0-9]+$/.test(meta.grade || "") && area) {
      design = Number(meta.grade.slice(1)) * area / 1000;
      box.dataset.designForce = design.toFixed(1); box.dataset.designLabel = meta.grade;
    }
    part("load-control").hidden = meta.load_control !== "automatic";
    var title = document.querySelector("[data-live-title]"), place = document.querySelector("[data-live-place]");
    if (meta.grade && title) { title.textContent = meta.grade + (meta.specimen ? " 试件 " + meta.specimen : ""); }
    if (place) { place.textContent = [meta.project, meta.part, meta.simulated ? "模拟数据" : ""].filter(Boolean).join("，"); }
  }

  function reset() {
    time = []; force = []; gaps = []; timing = null; ended = null; interval = null;
    ["force", "stress", "elapsed", "rate"].forEach(function (name) { part(name).textContent = "–"; });
    tag(part("rate-state"), "off", "circle-dashed", "还没有");
    part("announce").textContent = "";
  }

  /* Either seconds and kN, or microseconds and integers at the resolution that the start named. */
  function take(sent) {
    var samples = sent.t_us ? { t: sent.t_us.map(function (t) { return t / 1e6; }), f: sent.v.map(function (v) { return v * scale; }) } : sent;
    for (var i = 0; i < samples.t.length; i += 1) {
      var last = time.length - 1, t = samples.t[i];
      if (last >= 0 && t <= time[last]) { continue; } /* sent again after a reconnection */
      if (last >= 1) {
        interval = interval === null ? t - time[last] : Math.min(interval, t - time[last]);
        if (t - time[last] > Math.max(.5, interval * 5)) { gaps.push([time[last], t]); }
      }
      time.push(t); force.push(samples.f[i]);
    }
    refresh();
  }

  function finish(result) {
    ended = result || {};
    say(ended.outcome_tone || "ok", "circle-check", ended.outcome || "试验已结束");
    tag(part("rate-state"), "off", "circle-dashed", "已结束");
    var running = box.querySelector(".specimen.is-running b");
    if (running) { running.textContent = ended.peak_kN || peak()[1].toFixed(decimals); }
    var words = "试验结束，最大力 " + (ended.peak_kN || peak()[1].toFixed(decimals)) + " kN";
    if (ended.strength_MPa) { words += "，强度 " + ended.strength_MPa + " MPa"; }
    part("announce").textContent = words + "。";
    refresh();
  }

  function connect(address) {
    var source = new EventSource(address);
    source.addEventListener("open", function () { if (!ended) { say("acc", "activity", "实时"); } });
    source.addEventListener("start", function (event) {
      var meta = JSON.parse(event.data);
      if (!meta.resumed) { reset(); }
      if (meta.decimals !== undefined) { decimals = meta.decimals; }
      describe(meta);
      say("acc", "activity", "加荷中");
      refresh();
    });
    source.addEventListener("samples", function (event) { take(JSON.parse(event.data)); });
    source.addEventListener("end", function (event) { finish(JSON.parse(event.data)); });
    source.addEventListener("error", function () {
      if (ended) { if (source.readyState === EventSource.CLOSED) { setTimeout(renew, 5000); } return; }
      if (source.readyState === EventSource.CLOSED) { say("off", "wifi-off", "连接断了，正在重连"); setTimeout(renew, 3000); }
      else { say("off", "wifi-off", "正在重连"); }
    });
  }

  /* The stream's token lives a minute: a closed stream asks the page for a fresh address. */
  function renew() {
    fetch(location.href, { credentials: "same-origin" }).then(function (response) { return response.ok ? response.text() : Promise.reject(new Error("closed")); })
      .then(function (html) {
        var fresh = new DOMParser().parseFromString(html, "text/html").querySelector("[data-live]");
        if (!fresh) { return; }
        connect(fresh.dataset.stream);
      }).catch(function () { setTimeout(renew, 5000); });
  }

  function gauge() {
    var allowed = part("allowed"), ruler = part("gauge-scale");
    if (!allowed || !low) { return; }
    part("gauge").hidden = ruler.hidden = false;
    ruler.querySelectorAll("span + span").forEach(function (word) { word.remove(); });
    allowed.style.left = low / gaugeMax * 100 + "%";
    allowed.style.right = 100 - high / gaugeMax * 100 + "%";
    [[low, box.dataset.bandLow], [high, box.dataset.bandHigh], [gaugeMax, gaugeMax.toFixed(1)]].forEach(function (step) {
      var word = document.createElement("span");
      word.textContent = step[1]; word.style.left = step[0] / gaugeMax * 100 + "%";
      ruler.append(word);
    });
  }

  box.querySelectorAll("[data-peer]").forEach(function (element) {
    if (!element.dataset.peer) { return; }
    fetch(element.dataset.peer).then(function (r) { return r.ok ? r.json() : Promise.reject(new Error("none")); })
      .then(function (record) { peers.push(record); refresh(); }).catch(function () { /* a peer is only a backdrop */ });
  });
  document.addEventListener("plumbline:theme", paint);
  new ResizeObserver(function () { chart.resize(); paint(); }).observe(holder);
  gauge();
  paint();
  connect(box.dataset.stream);
})();
