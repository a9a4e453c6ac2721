/* Force over rate on one time axis. Raw values, thinned by minimum and maximum per pixel, never by average;
   a gap in the record stays a gap. Used by the trace page and by the live page. */
(function (scope) {
  "use strict";

  /* Thin (time, value) to at most four points a pixel column: first, lowest, highest, last, in order of time. */
  function thin(time, value, columns, from, to) {
    var points = [];
    var span = to - from;
    if (!(span > 0) || columns < 1) { return points; }
    var bucket = null, current = -1;
    function flush() {
      if (!bucket) { return; }
      var chosen = [bucket.first, bucket.low, bucket.high, bucket.last].sort(function (a, b) { return a - b; });
      for (var k = 0; k < chosen.length; k += 1) {
        if (k === 0 || chosen[k] !== chosen[k - 1]) { points.push([time[chosen[k]], value[chosen[k]]]); }
      }
      bucket = null;
    }
    for (var i = 0; i < time.length; i += 1) {
      if (time[i] < from || time[i] > to || value[i] === null) { continue; }
      var column = Math.min(columns - 1, Math.floor((time[i] - from) / span * columns));
      if (column !== current) { flush(); current = column; }
      if (!bucket) { bucket = { first: i, low: i, high: i, last: i }; continue; }
      if (value[i] < value[bucket.low]) { bucket.low = i; }
      if (value[i] > value[bucket.high]) { bucket.high = i; }
      bucket.last = i;
    }
    flush();
    return points;
  }

  /* Put an empty point into every gap, so that the line breaks there. */
  function broken(points, gaps) {
    if (!gaps || !gaps.length) { return points; }
    var all = points.slice();
    gaps.forEach(function (gap) { all.push([(gap[0] + gap[1]) / 2, null]); });
    return all.sort(function (a, b) { return a[0] - b[0]; });
  }

  /* The next round number at or above x: 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 times a power of ten. */
  function roundUp(x) {
    if (!(x > 0)) { return 1; }
    var power = Math.pow(10, Math.floor(Math.log10(x)));
    var steps = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];
    for (var i = 0; i < steps.length; i += 1) {
      if (steps[i] * power >= x * 0.999999) { return steps[i] * power; }
    }
    return 10 * power;
  }

  function highest(values) {
    var top = 0;
    for (var i = 0; i < values.length; i += 1) { if (values[i] > top) { top = values[i]; } }
    return top;
  }

  function thousands(n) { return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009").replace("-", "\u2212"); }

  var PAPER = { surface: "#fff", ink: "#000", ink2: "#222", ink3: "#333", acc: "#000", ok: "#555", okTint: "#eee", line: "#bbb", line2: "#777", ctl: "#888" };
  function palette() {
    var style = getComputedStyle(document.documentElement);
    function token(name) { return style.getPropertyValue(name).trim(); }
    return { surface: token("--surface"), ink: token("--ink"), ink2: token("--ink2"), ink3: token("--ink3"), acc: token("--acc"),
      ok: token("--ok"), okTint: token("--ok-s"), line: token("--line"), line2: token("--line2"), ctl: token("--ctl"), warn: token("--warn") };
  }

  function hatch(colour) {
    var tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    var pen = tile.getContext("2d");
    pen.strokeStyle = colour;
    pen.beginPath(); pen.moveTo(0, 8); pen.lineTo(8, 0); pen.moveTo(-2, 2); pen.lineTo(2, -2); pen.moveTo(6, 10); pen.lineTo(10, 6); pen.stroke();
    return { image: tile, repeat: "repeat" };
  }

  var FONT = '"PingFang SC","HarmonyOS Sans SC","Microsoft YaHei UI","Noto Sans CJK SC","Noto Sans SC",sans-serif';

  function timeAxis(colours, grid, max, options) {
    return { type: "value", gridIndex: grid, min: 0, max: max, interval: roundUp(max / 10), name: options.named ? "时间 s" : "",
      nameLocation: "end", nameGap: 4, nameTextStyle: { color: colours.ink2, fontSize: 12, align: "right", verticalAlign: "top", padding: [24, 0, 0, 0] },
      axisLine: { lineStyle: { color: colours.line2 } }, axisTick: { show: true, lineStyle: { color: colours.line2 } },
      axisLabel: { color: colours.ink2, fontSize: 12, hideOverlap: true }, splitLine: { show: false },
      axisPointer: { label: { show: false } } };
  }

  function valueAxis(colours, grid, max, name) {
    var step = max / 5;
    return { type: "value", gridIndex: grid, min: 0, max: max, interval: step, name: name, nameLocation: "end", nameGap: 10,
      nameTextStyle: { color: colours.ink2, fontSize: 12, align: "left", padding: [0, 0, 0, -44] },
      axisLabel: { color: colours.ink2, fontSize: 12, formatter: function (v) { return max >= 10 ? thousands(Math.round(v * 100) / 100) : v.toFixed(1); } },
      axisTick: { show: false }, axisLine: { show: true, lineStyle: { color: colours.line2 } }, splitLine: { lineStyle: { color: colours.line } } };
  }

  function nearest(time, value, t) {
    var best = 0;
    for (var i = 1; i < time.length; i += 1) { if (Math.abs(time[i] - t) < Math.abs(time[best] - t)) { best = i; } }
    return value.length ? value[best] : 0;
  }

  function markSeries(record, colours, max) {
    var tension = record.marks.some(function (m) { return m.kind === "Rm"; });
    var rings = record.marks.filter(function (m) { return m.kind !== "timing_start"; });
    return { type: "scatter", xAxisIndex: 0, yAxisIndex: 0, symbol: "circle", symbolSize: 8, z: 6, silent: true,
      itemStyle: { color: colours.surface, borderColor: colours.acc, borderWidth: 2, opacity: 1 },
      data: rings.map(function (m) {
        var main = m.kind === "Rm" || m.kind === "break" && !tension;
        var place = { ReH: "top", ReL: [10, 14], Rm: "top" }[m.kind] || (tension ? "bottom" : m.t > max * 0.45 ? "left" : "right");
        return { value: [m.t, m.force === undefined ? nearest(record.time_s, record.force_kN, m.t) : m.force],
          label: { show: true, formatter: m.label, position: place, distance: main && !tension ? 12 : 8, color: colours.ink,
            fontFamily: FONT, fontSize: main ? 13 : 12, fontWeight: main ? 600 : 400, offset: main && !tension ? [0, -12] : [0, 0] } };
      }) };
  }

  function forceSeries(record, colours, columns, range) {
    var start = record.marks.filter(function (m) { return m.kind === "timing_start"; });
    return { name: "力值", type: "line", xAxisIndex: 0, yAxisIndex: 0, showSymbol: false, connectNulls: false, z: 5,
      lineStyle: { color: colours.acc, width: 2 }, itemStyle: { color: colours.acc },
      data: broken(thin(record.time_s, record.force_kN, columns, range[0], range[1]), record.gaps),
      markLine: { silent: true, symbol: "none", animation: false, lineStyle: { color: colours.ink2, type: [4, 3], width: 1 },
        data: start.map(function (m) { return { xAxis: m.t, label: { formatter: m.label, position: "end", rotate: 0, align: "left", padding: [16, 0, 0, 6], color: colours.ink2, fontSize: 12, fontFamily: FONT } }; }) },
      markArea: { silent: true, animation: false, itemStyle: { color: hatch(colours.ink3), opacity: .55 },
        label: { color: colours.ink2, fontSize: 12, position: "insideBottom", distance: 8 },
        data: (record.gaps || []).map(function (g) { return [{ xAxis: g[0], name: "缺 " + (g[1] - g[0]).toFixed(1) + " s" }, { xAxis: g[1] }]; }) } };
  }

  function rateSeries(record, colours, columns, range) {
    if (!record.rate) { return []; }
    var series = [{ name: "加荷速度", type: "line", xAxisIndex: 1, yAxisIndex: 1, showSymbol: false, z: 5, connectNulls: false,
      lineStyle: { color: colours.acc, width: 1.5 }, itemStyle: { color: colours.acc },
      data: broken(thin(record.rate.time_s, record.rate.value, columns, range[0], range[1]), record.gaps) }];
    var band = record.band;
    if (!band) { return series; }
    series[0].markArea = { silent: true, animation: false, itemStyle: { color: colours.okTint },
      data: [[{ xAxis: band.from_s, yAxis: Number(band.low) }, { xAxis: band.to_s, yAxis: Number(band.high) }]] };
    [band.low, band.high].forEach(function (limit, n) {
      series.push({ type: "line", xAxisIndex: 1, yAxisIndex: 1, showSymbol: false, silent: true, z: 3, tooltip: { show: false },
        lineStyle: { color: colours.ok, width: 1.5, type: colours === PAPER ? "dashed" : "solid" },
        data: [[band.from_s, Number(limit)], [band.to_s, Number(limit)]],
        endLabel: n === 1 ? { show: true, formatter: band.text, color: colours.ok, fontSize: 12, fontFamily: FONT, align: "right", verticalAlign: "bottom", offset: [-10, -3] } : { show: false } });
    });
    return series;
  }

  function tooltip(colours) {
    return { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colours.surface, borderColor: colours.line2,
      textStyle: { color: colours.ink, fontSize: 12, fontFamily: FONT }, axisPointer: { type: "line", lineStyle: { color: colours.ink3, type: "dashed" } },
      formatter: function (items) {
        var lines = [];
        items.forEach(function (item) {
          if (item.seriesName === "力值" || item.seriesName === "加荷速度") {
            if (!lines.length) { lines.push("时间 " + item.value[0].toFixed(2) + " s"); }
            if (item.value[1] !== null) { lines.push(item.seriesName + " " + thousands(item.value[1].toFixed(item.seriesName === "力值" ? 1 : 2))); }
          }
        });
        return lines.join("\n");
      } };
  }

  /* The option of the two plots; peers are drawn only over the whole range, thin and grey. */
  function option(record, settings) {
    var colours = settings.colours;
    var columns = Math.max(200, settings.width - 70);
    var end = highest(record.time_s);
    (record.peers || []).forEach(function (peer) { end = Math.max(end, highest(peer.time_s)); });
    var xMax = settings.timeMax || roundUp(end / 9) * Math.ceil(end / roundUp(end / 9) + 0.02);
    var range = settings.range || [0, xMax];
    var top = highest(record.force_kN);
    (record.peers || []).forEach(function (peer) { top = Math.max(top, highest(peer.force_kN)); });
    var rateTop = record.rate ? roundUp(Math.max(record.band ? Number(record.band.high) * 1.4 : 0, Math.min(highest(record.rate.value), record.band ? Number(record.band.high) * 2 : 1e9))) : 1;
    var rateHeight = record.rate ? Math.max(64, Math.round(settings.height * .17)) : 0;
    var forceHeight = settings.height - (record.rate ? rateHeight + 130 : 84);
    var grids = [{ left: 56, right: 24, top: 34, height: forceHeight }];
    var xAxes = [timeAxis(colours, 0, xMax, { named: !record.rate })];
    var yAxes = [valueAxis(colours, 0, settings.forceMax || roundUp(top * 1.04), "力值 kN")];
    if (record.rate) {
      grids.push({ left: 56, right: 24, top: 34 + forceHeight + 56, height: rateHeight });
      xAxes.push(timeAxis(colours, 1, xMax, { named: true }));
      yAxes.push(valueAxis(colours, 1, rateTop, "加荷速度 " + record.rate.unit + "（" + record.rate.window_s + " s 窗）"));
      yAxes[1].interval = rateTop / (rateTop === 1.5 ? 3 : 2);
    }
    var peers = (record.peers || []).map(function (peer) {
      return { name: peer.label, type: "line", xAxisIndex: 0, yAxisIndex: 0, showSymbol: false, silent: true, z: 2, lineStyle: { color: colours.ctl, width: 1 },
        data: thin(peer.time_s, peer.force_kN, columns, 0, xMax) };
    });
    return { animation: false, aria: { enabled: false }, textStyle: { fontFamily: FONT }, grid: grids, xAxis: xAxes, yAxis: yAxes,
      axisPointer: { link: [{ xAxisIndex: "all" }] }, tooltip: tooltip(colours),
      dataZoom: [{ type: "inside", xAxisIndex: record.rate ? [0, 1] : [0], filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false }],
      graphic: peers.length ? [{ type: "text", z: 10, left: "38%", top: 34 + forceHeight - 34, silent: true, style: { text: "灰线：同组" + (record.peers || []).map(function (p) { return p.label; }).join("、"), fill: colours.ink2, font: "12px " + FONT, backgroundColor: colours.surface, padding: [2, 6] } }] : [],
      series: peers.concat([forceSeries(record, colours, columns, range), markSeries(record, colours, xMax)], rateSeries(record, colours, columns, range)) };
  }

  /* Draw a record into an element of fixed height; answers an object with redraw, picture and record. */
  function draw(element, record, settings) {
    var chart = scope.echarts.init(element, null, { renderer: "canvas" });
    function paint(colours, range) {
      chart.setOption(option(record, { colours: colours || palette(), width: element.clientWidth, height: element.clientHeight,
        forceMax: settings && settings.forceMax, range: range }), { replaceMerge: ["series"] });
    }
    paint();
    chart.on("datazoom", function () {
      var zoom = chart.getOption().dataZoom[0];
      var whole = chart.getOption().xAxis[0].max;
      var range = [zoom.start / 100 * whole, zoom.end / 100 * whole];
      var fresh = option(record, { colours: palette(), width: element.clientWidth, height: element.clientHeight, forceMax: settings && settings.forceMax, range: range });
      chart.setOption({ series: fresh.series }, { replaceMerge: ["series"] });
    });
    var timer = null;
    new ResizeObserver(function () {
      clearTimeout(timer);
      timer = setTimeout(function () { if (element.clientWidth) { chart.resize(); paint(); } }, 80);
    }).observe(element);
    document.addEventListener("plumbline:theme", function () { paint(); });
    scope.addEventListener("beforeprint", function () { if (element.clientWidth) { chart.resize({ width: 660, height: 380 }); chart.setOption(option(record, { colours: PAPER, width: 660, height: 380, forceMax: settings && settings.forceMax }), { replaceMerge: ["series"] }); } });
    scope.addEventListener("afterprint", function () { chart.resize({ width: "auto", height: "auto" }); paint(); });
    return { chart: chart, record: record, picture: function () { return chart.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: palette().surface }); } };
  }

  var api = { thin: thin, broken: broken, roundUp: roundUp, thousands: thousands, highest: highest, palette: palette, draw: draw, font: FONT };
  if (typeof module !== "undefined" && module.exports) { module.exports = api; }
  scope.plumblineCurves = api;
})(typeof window === "undefined" ? globalThis : window);
