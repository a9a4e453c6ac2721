/* Follows the filling of the demo's city every three seconds; the line goes when the city is whole. */
(function () {
  "use strict";
  var box = document.querySelector("[data-city]");
  if (!box) { return; }
  function look() {
    fetch(box.dataset.city).then(function (response) { return response.json(); }).then(function (seen) {
      if (!seen.text) { box.querySelector("[data-city-text]").textContent = "演示城市已经补齐，刷新页面看全部。"; box.querySelector("[data-city-bar]").value = 100; return; }
      box.querySelector("[data-city-text]").textContent = seen.text;
      box.querySelector("[data-city-bar]").value = seen.percent;
      setTimeout(look, 3000);
    }, function () { setTimeout(look, 6000); });
  }
  setTimeout(look, 3000);
})();
