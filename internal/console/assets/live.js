// Keeps a page up to date: the server sends the panels that changed, and the
// database's clock once a second. Says so when it does not.

import { morph, parse } from "./morph.js";

const root = document.documentElement;
const fresh = document.getElementById("fresh");
const lost = document.getElementById("lost");
const say = document.getElementById("say");
const silence = 3500; // ms without a word until the connection counts as lost

let offset = Number(root.dataset.now) - performance.now(); // of the database's clock
let source, heard = performance.now(), last = fresh.textContent.replace("as of ", ""), away = "";
let first = true;

const clock = (ms) => new Date(ms).toISOString().slice(11, 19) + " UTC";

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000)), m = Math.floor(s / 60), h = Math.floor(m / 60);
  if (s < 120) return `${s} s`;
  if (m < 60) return `${m} min`;
  if (h < 48) return m % 60 ? `${h} h ${m % 60} min` : `${h} h`;
  return `${Math.floor(h / 24)} d`;
}

function ages() {
  const now = performance.now() + offset;
  for (const el of document.querySelectorAll("[data-ago]")) {
    const text = span(now - Number(el.dataset.ago)) + " ago";
    if (el.textContent !== text) el.textContent = text;
  }
}

function status(kind, text) {
  if (fresh.dataset.fresh !== kind) fresh.dataset.fresh = kind;
  if (fresh.textContent !== text) fresh.textContent = text;
}

function warn(text) {
  lost.hidden = !text;
  if (lost.textContent !== text) lost.textContent = text;
}

function apply(panels) {
  const told = [];
  for (const [id, html] of Object.entries(panels)) {
    const old = document.getElementById(id), next = parse(html).body.firstElementChild;
    // A panel is not taken away under the pointer; the next event brings it.
    if (!old || !next || old.dataset.keep) continue;
    for (const el of morph(old, next)) {
      if (first) continue;
      el.classList.remove("changed");
      void el.offsetWidth; // so that the mark begins anew
      el.classList.add("changed");
      if (el.dataset.say) told.push(el.dataset.say);
    }
  }
  if (told.length) say.textContent = told.slice(0, 5).join(". ");
  first = false;
  document.dispatchEvent(new CustomEvent("tieline:panels"));
}

function hear(event) {
  const m = JSON.parse(event.data);
  heard = performance.now();
  if (m.away) {
    away = `The database has not answered since ${m.since}. What stands here is as of ${last}; it goes on by itself.`;
  } else {
    offset = m.now - performance.now();
    last = clock(m.now);
    away = "";
  }
  if (m.panels) apply(m.panels);
  tick();
}

function tick() {
  const quiet = performance.now() - heard > silence;
  if (quiet) {
    status("lost", `as of ${last}, reconnecting`);
    warn(`The connection to this server is lost. What stands here is as of ${last}; trying again.`);
  } else if (away) {
    status("lost", `as of ${last}, database away`);
    warn(away);
  } else if (source?.readyState === EventSource.OPEN) {
    status("live", "live");
    warn("");
  }
  ages();
}

function connect() {
  source?.close();
  source = new EventSource("/live?page=" + encodeURIComponent(location.pathname + location.search));
  source.onmessage = hear;
  source.onerror = () => {
    tick();
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again
    setTimeout(again, 2000);
  };
}

// again connects anew. A session that has ended leads to the sign-in.
async function again() {
  try {
    const answer = await fetch(location.href, { method: "HEAD", redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect") return location.reload();
  } catch {
    // still away
  }
  if (!document.hidden) connect();
}

// A page that nobody looks at asks for nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) source?.close();
  else {
    heard = performance.now();
    connect();
  }
});
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (e) => { if (e.persisted) connect(); });

setInterval(tick, 1000);
ages();
connect();
