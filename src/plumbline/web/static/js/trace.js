/* Trace page: choose a specimen, draw its curve, list its marks, export picture and values. */
(function () {
  "use strict";
  var curves = window.plumblineCurves;

  function message(holder, text) {
    holder.classList.remove("chart");
    holder.className = "chart-message";
    holder.removeAttribute("role");
    holder.textContent = text;
  }

  function note(text) {
    var element = document.createElement("p");
    element.className = "curve-note";
    element.textContent = text;
    return element;
  }

  function listMarks(panel, record) {
    var body = panel.querySelector("[data-marks]");
    body.textContent = "";
    record.marks.forEach(function (mark) {
      var row = body.insertRow();
      row.insertCell().textContent = mark.label;
      var time = row.insertCell(); time.className = "num"; time.textContent = String(Number(mark.t.toFixed(2)));
      var value = row.insertCell(); value.className = "num"; value.textContent = mark.value || "–";
    });
  }

  function save(name, href) {
    var link = document.createElement("a");
    link.download = name; link.href = href;
    document.body.append(link); link.click(); link.remove();
  }

  function csv(section, record, panel) {
    var lines = ["# 样品码," + section.dataset.tag, "# 时间 s,力值 " + record.unit];
    if (record.calibration) { lines.push("# 校准," + record.calibration); }
    if (record.log_index !== undefined) { lines.push("# 日志序号," + record.log_index); }
    for (var i = 0; i < record.time_s.length; i += 1) { lines.push(record.time_s[i] + "," + record.force_kN[i]); }
    var address = URL.createObjectURL(new Blob(["\ufeff" + lines.join("\r\n")], { type: "text/csv" }));
    save(section.dataset.tag + ".csv", address);
    setTimeout(function () { URL.revokeObjectURL(address); }, 10000);
  }

  function setUp(panel) {
    var forceMax = Number(panel.dataset.axisMax) || undefined;
    var drawn = {};
    function show(index) {
      panel.querySelectorAll("[data-specimen]").forEach(function (tab) {
        var on = tab.dataset.specimen === index;
        tab.setAttribute("aria-selected", String(on)); tab.tabIndex = on ? 0 : -1;
      });
      panel.querySelectorAll("[data-specimen-row]").forEach(function (row) { row.setAttribute("aria-selected", String(row.dataset.specimenRow === index)); });
      panel.querySelectorAll("[data-specimen-panel]").forEach(function (section) {
        section.hidden = section.dataset.specimenPanel !== index;
        if (!section.hidden) { open(section, index); }
      });
    }
    function open(section, index) {
      var holder = section.querySelector("[data-chart]");
      if (!holder) { panel.querySelector("[data-marks]").textContent = ""; return; }
      if (drawn[index]) { listMarks(panel, drawn[index].record); return; }
      fetch(section.dataset.url, { credentials: "same-origin" }).then(function (response) {
        if (!response.ok) { throw new Error(String(response.status)); }
        return response.json();
      }).then(function (record) {
        drawn[index] = curves.draw(holder, record, { forceMax: forceMax });
        listMarks(panel, record);
        if (record.truncated) { holder.before(note("这条记录被采集器的缓存截断，曲线不完整，强度不能由它复算。")); }
      }).catch(function (error) { message(holder, "曲线没有取到（" + error.message + "）。数值见下表，刷新页面可以再试。"); });
    }
    panel.addEventListener("click", function (event) {
      var tab = event.target.closest("[data-specimen]"), row = event.target.closest("[data-specimen-row]");
      var button = event.target.closest("[data-export]");
      if (tab) { show(tab.dataset.specimen); } else if (row) { show(row.dataset.specimenRow); }
      if (button) {
        var section = panel.querySelector("[data-specimen-panel]:not([hidden])");
        var entry = drawn[section.dataset.specimenPanel];
        if (!entry) { return; }
        if (button.dataset.export === "png") { save(section.dataset.tag + ".png", entry.picture()); } else { csv(section, entry.record, panel); }
      }
    });
    panel.addEventListener("keydown", function (event) {
      var tab = event.target.closest("[data-specimen]");
      var step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (!tab || !step) { return; }
      var tabs = Array.prototype.slice.call(panel.querySelectorAll("[data-specimen]"));
      var next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      show(next.dataset.specimen); next.focus();
    });
    var first = panel.querySelector('[data-specimen][aria-selected="true"]');
    if (first) { show(first.dataset.specimen); }
  }

  document.querySelectorAll("[data-curve-panel]").forEach(setUp);
})();
