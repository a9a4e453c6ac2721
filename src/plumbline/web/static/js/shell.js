/* Search key, menu on small screens, one popover at a time, copy and print buttons. */
(function () {
  "use strict";
  function typing(target) { return /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable; }
  document.addEventListener("keydown", function (event) {
    var search = document.querySelector("[data-global-search]");
    var slash = event.key === "/" && !typing(event.target);
    var controlK = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
    if (search && (slash || controlK)) { event.preventDefault(); search.focus(); search.select(); }
    if (event.key === "Escape") {
      document.querySelectorAll("details[data-popover][open]").forEach(function (popover) {
        popover.open = false;
        popover.querySelector("summary").focus();
      });
    }
  });
  document.addEventListener("click", function (event) {
    var inside = event.target.closest("details[data-popover]");
    document.querySelectorAll("details[data-popover][open]").forEach(function (popover) {
      if (popover !== inside) { popover.open = false; }
    });
    var toggle = event.target.closest("[data-menu-toggle]");
    if (toggle) {
      var open = document.getElementById("side").classList.toggle("is-open");
      toggle.setAttribute("aria-expanded", String(open));
    }
    var copy = event.target.closest("[data-copy]");
    if (copy && navigator.clipboard) {
      navigator.clipboard.writeText(copy.dataset.copy).then(function () { copy.title = "已复制"; });
    }
    if (event.target.closest("[data-print]")) { window.print(); }
  });
})();
