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
  event.respondWith(fromHub(event, isPage(request) ? nameOf(url) : request));
});

/** A page is the same whatever it was opened with, but for its language: that of another is better than none. */
const nameOf = ({ origin, pathname, searchParams }) => `${origin}${pathname}?lang=${searchParams.get("lang") ?? ""}`;

async function fromHub(event, name) {
  const kept = await caches.open(KEPT);
  try {
    const answer = await fetch(event.request);
    if (answer.ok) event.waitUntil(kept.put(name, answer.clone()).catch(() => {})); // without room for it, it is not kept
    return answer;
  } catch (error) {
    const known = (await kept.match(name)) ?? (isPage(event.request) ? await kept.match(name, { ignoreSearch: true }) : undefined);
    if (known) return known;
    throw error;
  }
}
