/* SHA-256 (FIPS 180-4) of bytes, as lower-case hexadecimal. The browser's own implementation where the page is in a
   secure context; else the plain one below, written from the standard, so that a phone on a site network without
   HTTPS can still compare a file. Nothing leaves the device but the digest. */
(function (scope) {
  "use strict";

  function constants() {
    var primes = [], candidate = 2;
    while (primes.length < 64) {
      if (primes.every(function (p) { return candidate % p; })) { primes.push(candidate); }
      candidate += 1;
    }
    function fraction(x) { return ((x - Math.floor(x)) * 4294967296) | 0; }
    return { k: primes.map(function (p) { return fraction(Math.cbrt(p)); }), h: primes.slice(0, 8).map(function (p) { return fraction(Math.sqrt(p)); }) };
  }
  var first = constants(), K = first.k;

  function padded(bytes) {
    var length = ((bytes.length + 8 >> 6) + 1) * 64;
    var all = new Uint8Array(length), view = new DataView(all.buffer);
    all.set(bytes);
    all[bytes.length] = 0x80;
    view.setUint32(length - 8, Math.floor(bytes.length / 536870912));
    view.setUint32(length - 4, bytes.length << 3);
    return view;
  }

  function rotate(x, n) { return x >>> n | x << 32 - n; }

  function block(view, at, H, w) {
    var t;
    for (t = 0; t < 16; t += 1) { w[t] = view.getInt32(at + t * 4); }
    for (t = 16; t < 64; t += 1) {
      var x = w[t - 15], y = w[t - 2];
      var s0 = rotate(x, 7) ^ rotate(x, 18) ^ x >>> 3, s1 = rotate(y, 17) ^ rotate(y, 19) ^ y >>> 10;
      w[t] = w[t - 16] + s0 + w[t - 7] + s1 | 0;
    }
    var a = H[0], b = H[1], c = H[2], d = H[3], e = H[4], f = H[5], g = H[6], h = H[7];
    for (t = 0; t < 64; t += 1) {
      var one = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (e & f ^ ~e & g) + K[t] + w[t] | 0;
      var two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
      h = g; g = f; f = e; e = d + one | 0; d = c; c = b; b = a; a = one + two | 0;
    }
    H[0] += a; H[1] += b; H[2] += c; H[3] += d; H[4] += e; H[5] += f; H[6] += g; H[7] += h;
  }

  function hex(bytes) {
    var text = "";
    for (var i = 0; i < bytes.length; i += 1) { text += (bytes[i] + 256).toString(16).slice(1); }
    return text;
  }

  /* Digest of a Uint8Array without the browser's help. */
  function plain(bytes) {
    var view = padded(bytes), H = Int32Array.from(first.h), w = new Int32Array(64);
    for (var at = 0; at < view.byteLength; at += 64) { block(view, at, H, w); }
    var out = new DataView(new ArrayBuffer(32));
    H.forEach(function (word, n) { out.setInt32(n * 4, word); });
    return hex(new Uint8Array(out.buffer));
  }

  /* Promise of the digest of an ArrayBuffer. */
  function digest(buffer) {
    if (scope.crypto && scope.crypto.subtle) {
      return scope.crypto.subtle.digest("SHA-256", buffer).then(function (value) { return hex(new Uint8Array(value)); });
    }
    return Promise.resolve(plain(new Uint8Array(buffer)));
  }

  var api = { plain: plain, digest: digest };
  if (typeof module !== "undefined" && module.exports) { module.exports = api; }
  scope.plumblineSha256 = api;
})(typeof window === "undefined" ? globalThis : window);
