// QR codes of what the hub must not know; all others it draws itself.

import { html, svg } from "/static/lib/view.js";

const QUIET_MODULES = 4; // around it, as the standard asks

/** Dark on light, whatever the page's colors are: many readers know no other. @param {string} told what it is, for whom a picture tells nothing */
export async function qrCode(text, told) {
  const { encodeQR } = await import("/static/qr/index.js"); // when one is shown, not with the page
  const rows = encodeQR(text, "raw", { ecc: "medium", border: QUIET_MODULES });
  const dark = rows.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : [])));
  return html`<svg class="qr" viewBox=${`0 0 ${rows.length} ${rows.length}`} role="img" aria-label=${told} shape-rendering="crispEdges">
    ${svg`<rect width="100%" height="100%" fill="#fff"></rect><path d=${dark.join("")} fill="#000"></path>`}
  </svg>`;
}
