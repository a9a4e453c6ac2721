/* Reads what a QR code claims from the address's fragment, which no server sees. Layout, big-endian: version 1 · key
   number · code 21 · issue day u16 since 2000-01-01 · institution 8 · verdict · report digest 16 · length and report
   number in UTF-8; then a 64-byte signature. Upper-case base32 without padding. */
(function (scope) {
  "use strict";
  var VERDICTS = ["未作判定", "合格", "不合格", "无效"];
  var FIXED = 51, SIGNATURE = 64;

  function base32(text) {
    var letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", bytes = [], buffer = 0, bits = 0;
    for (var i = 0; i < text.length; i += 1) {
      var value = letters.indexOf(text[i]);
      if (value < 0) { return null; }
      buffer = buffer << 5 | value;
      bits += 5;
      if (bits >= 8) { bits -= 8; bytes.push(buffer >> bits & 255); buffer &= (1 << bits) - 1; }
    }
    return new Uint8Array(bytes);
  }

  function hex(bytes) { return Array.prototype.map.call(bytes, function (b) { return (b + 256).toString(16).slice(1); }).join(""); }

  /* The claims of a fragment, or null when it is none that we can read. */
  function read(fragment) {
    var raw = base32(String(fragment).replace(/^#/, "").trim().toUpperCase());
    if (!raw || raw.length < FIXED + SIGNATURE || raw[0] !== 1) { return null; }
    var length = raw[50], number = raw.slice(FIXED, raw.length - SIGNATURE);
    if (number.length !== length || raw[33] >= VERDICTS.length) { return null; }
    var day = new Date(Date.UTC(2000, 0, 1 + (raw[23] << 8 | raw[24])));
    return { code: String.fromCharCode.apply(null, raw.slice(2, 23)), day: day.toISOString().slice(0, 10), institution: hex(raw.slice(25, 33)),
      verdict: VERDICTS[raw[33]], digest: hex(raw.slice(34, 50)), number: new TextDecoder().decode(number), signature: hex(raw.slice(-SIGNATURE)) };
  }

  var api = { read: read };
  if (typeof module !== "undefined" && module.exports) { module.exports = api; }
  scope.plumblineClaims = api;
})(typeof window === "undefined" ? globalThis : window);
