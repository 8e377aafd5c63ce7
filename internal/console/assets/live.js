// Keeps a page up to date: the server sends the panels that changed, and the
// database's clock once a second. Says so when it does not.
//
// A page whose struct says Live has this script. Two kinds of elements follow:
//
//   <section id="status" data-live>
//       a panel: its html comes with the stream, from the page's liveRoute (live.go).
//   <section id="list" data-live="?fragment=list" data-topic="alerts">
//       a list: the stream only tells that its topic changed (several: separated by
//       spaces; see Subject in package overview: alerts, documents, changes). Then
//       the element is loaded from that address, at most once a second. "?fragment=
//       NAME" of any page renders that page's own template NAME alone, whose first
//       element is this one again; the page's query (filters, page) is added to an
//       address of the page itself. The page needs no liveRoute for it.
//
// Either way the element is changed in place (morph.js): what has the focus, what
// is typed, ticked or unfolded stays. Rows keep their identity by id or data-key;
// one whose data-state changed is marked for a moment, and its data-say is told
// to those who do not see it.

import { morph, parse } from "./morph.js";

const root = document.documentElement;
const fresh = document.getElementById("fresh");
const lost = document.getElementById("lost");
const say = document.getElementById("say");
const silence = 3500; // ms without a word until the connection counts as lost

let offset = Number(root.dataset.now) - performance.now(); // of the database's clock
let source, heard = performance.now(), last = fresh.textContent.replace("as of ", ""), away = "", gone = "";
let first = true;
let told = root.dataset.now; // until then the page is as the server told, in ms by the database's clock

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
    const age = now - Number(el.dataset.ago), text = age < 1000 ? "now" : span(age) + " ago";
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

// replace brings an element to what the server sent of it, and tells what changed
// when it tells at all.
function replace(old, html, tells) {
  const next = parse(html).body.firstElementChild;
  if (!old || !next || old.dataset.keep) return false; // nothing is taken away under the pointer
  const told = [];
  for (const el of morph(old, next)) {
    if (!tells) continue;
    el.classList.remove("changed");
    void el.offsetWidth; // so that the mark begins anew
    el.classList.add("changed");
    if (el.dataset.say) told.push(el.dataset.say);
  }
  if (told.length) say.textContent = told.slice(0, 5).join(". ");
  return true;
}

// What came of a panel while its rows were dragged: the newest, by its id. The
// server sends a panel once, so it is shown when the row is let go.
const held = new Map();

function apply(panels) {
  for (const [id, html] of Object.entries(panels)) {
    const panel = document.getElementById(id);
    if (panel?.dataset.keep) held.set(id, html);
    else replace(panel, html, !first);
  }
  first = false;
  document.dispatchEvent(new CustomEvent("tieline:panels"));
}

document.addEventListener("tieline:released", (event) => {
  const id = event.target.id, html = held.get(id);
  if (!held.delete(id)) return;
  replace(event.target, html, true);
  ages();
  document.dispatchEvent(new CustomEvent("tieline:panels"));
});

// Lists: when each was last loaded, and which are about to be.
const pause = 900; // ms between two loads of a list
const loaded = new Map(), waiting = new Set();

function listsOf(topics) {
  return [...document.querySelectorAll("[data-live][data-topic]")].filter((el) =>
    el.id && el.dataset.live && el.dataset.topic.split(/\s+/).some((t) => topics.includes(t)));
}

function addressOf(list) {
  const url = new URL(list.dataset.live, location.href);
  if (url.pathname !== location.pathname) return url;
  const own = new Set(url.searchParams.keys());
  for (const [name, value] of new URLSearchParams(location.search)) if (!own.has(name)) url.searchParams.append(name, value);
  return url;
}

function reload(list) {
  const id = list.id;
  if (waiting.has(id)) return;
  waiting.add(id);
  setTimeout(() => load(id), Math.max(0, (loaded.get(id) ?? -pause) + pause - performance.now()));
}

async function load(id) {
  const list = document.getElementById(id);
  waiting.delete(id); // what changes from now on asks for another load
  loaded.set(id, performance.now());
  if (!list) return;
  try {
    const asked = addressOf(list).href;
    const answer = await fetch(asked, { cache: "no-store" });
    if (answer.redirected || !answer.ok) return; // the stream tells of a session or a database that is gone
    const html = await answer.text(), now = document.getElementById(id);
    // A form that was sent from the page meanwhile made it another: this is no answer to it.
    if (now && addressOf(now).href !== asked) return reload(now);
    if (!replace(now, html, true)) return reload(list);
    ages();
    document.dispatchEvent(new CustomEvent("tieline:panels"));
  } catch {
    // the stream tells of a server that is away, and of the change again when it is back
  }
}

function hear(event) {
  const m = JSON.parse(event.data);
  heard = performance.now();
  gone = m.gone ? `${m.gone} What stands here is as of ${last}.` : "";
  if (m.away) {
    away = `The database has not answered since ${m.since}. What stands here is as of ${last}; it goes on by itself.`;
  } else {
    offset = m.now - performance.now();
    last = clock(m.now);
    told = m.now;
    away = "";
  }
  if (m.panels) apply(m.panels);
  if (m.topics) listsOf(m.topics).forEach(reload);
  tick();
}

function tick() {
  const quiet = performance.now() - heard > silence;
  if (gone) {
    status("lost", `as of ${last}, moved`);
    warn(gone);
  } else if (quiet) {
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
  const query = new URLSearchParams({ page: location.pathname + location.search, since: told });
  source = new EventSource("/live?" + query);
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
    // A page is refused whose database the group has left. What is typed here stays.
    gone = answer.status === 409 ? gone || `The management group was moved to another database. What stands here is as of ${last}.` : "";
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
addEventListener("beforeprint", () => {
  document.querySelector(".printed time").textContent = new Date(Number(told)).toUTCString().slice(5, 25) + " UTC";
});
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (e) => { if (e.persisted) connect(); });

setInterval(tick, 1000);
ages();
connect();
