// The service worker of the apps: pages and their files from the hub, and from what was kept of them while it does not answer.
// What the API tells is never kept: a balance of yesterday would be taken for today's.

const KEPT = "taesan";
const isPage = (request) => request.mode === "navigate";
const isKept = ({ pathname }) => /^\/(static|words|wallet|merchant|operator)\b/.test(pathname);

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin || !isKept(url)) return;
  event.respondWith(fromHub(request));
});

async function fromHub(request) {
  const kept = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.ok) await kept.put(request, answer.clone());
    return answer;
  } catch (error) {
    const known = await kept.match(request, { ignoreSearch: isPage(request) });
    if (known) return known;
    throw error;
  }
}
