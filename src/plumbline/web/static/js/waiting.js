/* Looks once a second whether the page that was promised is there; gives up after a minute and says so. */
(function () {
  "use strict";
  var box = document.querySelector("[data-waiting]");
  if (!box) { return; }
  var note = document.querySelector("[data-waiting-note]");
  var tries = 0;
  function look() {
    tries += 1;
    fetch(box.dataset.waiting, { headers: { "X-Waiting": "1" }, redirect: "follow" }).then(function (response) {
      if (response.ok && !response.headers.get("X-Projection-Pending")) { location.assign(box.dataset.waiting); return; }
      again();
    }, again);
  }
  function again() {
    if (tries >= 60) { note.textContent = "还没有入账完。回执有效，可以稍后再来看。"; return; }
    setTimeout(look, 1000);
  }
  setTimeout(look, 1000);
})();
