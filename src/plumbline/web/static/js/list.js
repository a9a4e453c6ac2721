/* Rows by keyboard: J and K move, Enter opens; the row in hand is marked and keeps the focus. */
(function () {
  "use strict";
  var links = [], place = -1;
  function typing(target) { return /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable; }
  function hold(next) {
    if (!links.length) { return; }
    place = Math.max(0, Math.min(links.length - 1, next));
    links.forEach(function (link, at) {
      var line = link.closest("tr, li");
      if (at === place) { line.setAttribute("data-held", ""); } else { line.removeAttribute("data-held"); }
    });
    links[place].focus();
    links[place].scrollIntoView({ block: "nearest" });
  }
  function fold() {
    var form = document.querySelector("[data-filters]");
    if (!form) { return; }
    var toggle = form.querySelector("[data-filters-toggle]");
    if (form.hasAttribute("data-chosen")) { return; }
    form.classList.add("is-folded");
    toggle.hidden = false;
    toggle.addEventListener("click", function () {
      var folded = form.classList.toggle("is-folded");
      toggle.setAttribute("aria-expanded", String(!folded));
    });
  }
  document.addEventListener("DOMContentLoaded", function () {
    fold();
    links = Array.prototype.slice.call(document.querySelectorAll("[data-records] tbody tr td:first-child a, [data-records] li > a"));
    links.forEach(function (link, at) { link.addEventListener("focus", function () { place = at; }); });
  });
  document.addEventListener("keydown", function (event) {
    if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) { return; }
    var key = event.key.toLowerCase();
    if (key === "j") { event.preventDefault(); hold(place + 1); }
    if (key === "k") { event.preventDefault(); hold(place - 1); }
    if (event.key === "Enter" && place >= 0 && event.target === document.body) { links[place].click(); }
  });
})();
