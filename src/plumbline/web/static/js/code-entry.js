/* Code entry: groups the characters while typing and reads a photographed QR code where the browser can. */
(function () {
  "use strict";
  var input = document.querySelector("[data-code]");
  var GROUPS = [4, 3, 4, 4, 4, 2];
  function grouped(text) {
    var plain = text.toUpperCase().replace(/[^0-9A-Z]/g, "").slice(0, 21), parts = [], at = 0;
    GROUPS.forEach(function (size) { if (at < plain.length) { parts.push(plain.slice(at, at + size)); } at += size; });
    return parts.join("-");
  }
  input.addEventListener("input", function () {
    if (input.selectionStart === input.value.length) { input.value = grouped(input.value); }
  });
  var scan = document.querySelector("[data-scan]"), note = document.querySelector("[data-scan-note]");
  if (!("BarcodeDetector" in window)) { return; }
  scan.hidden = false;
  scan.querySelector("input").addEventListener("change", function (event) {
    var picture = event.target.files[0];
    if (!picture) { return; }
    createImageBitmap(picture).then(function (bitmap) { return new BarcodeDetector({ formats: ["qr_code"] }).detect(bitmap); }).then(function (found) {
      var address = found.length ? found[0].rawValue : "";
      var match = address.match(/\/v\/([0-9A-Z-]{21,26})(#.*)?$/i);
      if (!match) { note.textContent = "照片里没有找到监管码，请靠近一点再拍，或把字符打进来。"; return; }
      location.assign("/v/" + match[1] + (match[2] || ""));
    }).catch(function () { note.textContent = "这张照片认不出来，请再拍一次，或把字符打进来。"; });
  });
})();
