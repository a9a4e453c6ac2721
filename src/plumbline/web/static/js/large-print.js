/* 大字: larger print with the same facts fewer, remembered per device. Loaded before the first paint. */
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("js");
  function stored() { try { return localStorage.getItem("plumbline-large") === "1"; } catch (e) { return false; } }
  function show(large) {
    root.classList.toggle("large", large);
    document.querySelectorAll("[data-large-toggle]").forEach(function (button) {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(large));
      button.querySelector("[data-large-word]").textContent = large ? "标准字" : "大字";
    });
  }
  show(stored());
  document.addEventListener("DOMContentLoaded", function () { show(stored()); });
  document.addEventListener("click", function (event) {
    if (!event.target.closest("[data-large-toggle]")) { return; }
    var large = !root.classList.contains("large");
    try { localStorage.setItem("plumbline-large", large ? "1" : "0"); } catch (e) { /* private window: this page only */ }
    show(large);
  });
})();
