/* Light, dark or as the device says; remembered per device. Loaded before the first paint. */
(function () {
  "use strict";
  var root = document.documentElement;
  function stored() { try { return localStorage.getItem("plumbline-theme"); } catch (e) { return null; } }
  function apply(theme) {
    root.classList.toggle("dark", theme === "dark");
    root.classList.toggle("light", theme === "light");
  }
  apply(stored());
  document.addEventListener("click", function (event) {
    if (!event.target.closest("[data-theme-toggle]")) { return; }
    var dark = root.classList.contains("dark") ||
      (!root.classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
    var theme = dark ? "light" : "dark";
    try { localStorage.setItem("plumbline-theme", theme); } catch (e) { /* private window: this page only */ }
    apply(theme);
    document.dispatchEvent(new CustomEvent("plumbline:theme"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () {
    document.dispatchEvent(new CustomEvent("plumbline:theme"));
  });
})();
