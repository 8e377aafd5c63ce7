// What makes forms and buttons quicker where there is script. Every one of them
// works without it.

import { morph, parse } from "./morph.js";

const root = document.documentElement;
root.classList.add("has-script");

// A narrow window shows the current tab, and with its neighbours that there are more.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center", behavior: "instant" });

const say = (text) => { document.getElementById("say").textContent = text; };

function notice(kind, what, text) {
  const box = document.createElement("div");
  box.className = `notice notice-${kind}`;
  box.id = "notice";
  box.role = "alert";
  const strong = document.createElement("strong"), p = document.createElement("p");
  strong.textContent = what;
  p.textContent = text;
  box.append(strong, p);
  document.getElementById("notice")?.remove();
  document.getElementById("content").prepend(box);
}

// show brings the page to what a server answered, in place. An answer that led
// nowhere else has no address of its own: it is of a form that was not done.
function show(html, answer) {
  const next = parse(html), content = next.getElementById("content");
  const path = new URL(answer.url), led = answer.redirected || path.pathname === location.pathname;
  if (!content || led && path.pathname !== location.pathname) return location.assign(answer.url);
  if (led && path.search !== location.search) history.replaceState(null, "", answer.url);
  document.title = next.title;
  morph(document.getElementById("content"), content);
  const told = document.getElementById("notice");
  if (told) say(told.textContent);
}

// post sends a form without leaving the page, as it is when it is pressed. Forms
// wait for each other. More is what is sent besides its fields.
let before = Promise.resolve();
const waiting = new Set(); // what buttons that were pressed send when their turn comes
function post(form, submitter, more = {}) {
  const data = new URLSearchParams(new FormData(form, submitter));
  for (const [name, value] of Object.entries(more)) data.set(name, value);
  if (submitter) waiting.add(data);
  before = before.then(() => {
    waiting.delete(data);
    return send(form, submitter, data);
  });
}

// followed has the buttons that were pressed on what one form was decided on go on
// from what that form made of it: a button may be pressed twice. A drag goes a
// distance over the rows as they were, so it is good for them alone.
function followed(form, was) {
  const now = form.elements.seen?.value;
  if (!was || !now || !document.querySelector("#notice.notice-ok")) return;
  for (const data of waiting) if (data.get("seen") === was) data.set("seen", now);
}

async function send(form, submitter, data) {
  if (submitter?.disabled) return; // by the answer to the form before
  form.ariaBusy = "true";
  try {
    const answer = await fetch(submitter?.getAttribute("formaction") || form.action, { method: "POST", body: data });
    show(await answer.text(), answer);
    followed(form, data.get("seen"));
  } catch {
    notice("red", "Not sent", "This server could not be reached, so nothing was changed. Try again.");
  } finally {
    form.ariaBusy = null;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-inplace]")) return;
  event.preventDefault();
  form.closest("dialog")?.close();
  post(form, event.submitter);
});

// A link with data-confirm leads to a page that asks; here it asks in a dialog.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-confirm]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const answer = await fetch(link.href);
    const confirm = parse(await answer.text()).querySelector(".confirm");
    if (!confirm) return location.assign(link.href);
    ask(document.importNode(confirm, true), link);
  } catch {
    location.assign(link.href);
  }
});

function ask(confirm, opener) {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  const title = confirm.querySelector("h1, h2");
  title.id = "confirm-title";
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.append(confirm);
  document.body.append(dialog);
  dialog.addEventListener("click", (e) => {
    const back = e.target.closest("[data-cancel]");
    if (e.target === dialog || back) {
      e.preventDefault();
      dialog.close();
    }
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    opener.focus();
  });
  dialog.showModal();
  (dialog.querySelector("[data-cancel]") ?? title).focus();
}

// A form with data-ask is answered by a page that asks; here it asks in a
// dialog. What cannot be used comes back as the form with its problems.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-ask]")) return;
  event.preventDefault();
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)) });
    const html = await answer.text();
    const confirm = answer.ok && parse(html).querySelector(".confirm");
    if (confirm) ask(document.importNode(confirm, true), event.submitter);
    else show(html, answer);
    document.querySelector("#content [aria-invalid]")?.focus();
  } catch {
    notice("red", "Not sent", "This server could not be reached, so nothing was changed. Try again.");
  }
});

// The time to Offline, spelled out while it is typed.
document.addEventListener("input", () => {
  const out = document.querySelector("output[data-polling]");
  if (!out) return;
  const polling = Number(document.getElementById(out.dataset.polling).value);
  const tolerance = Number(document.getElementById(out.dataset.tolerance).value);
  if (!(polling >= 1) || !(tolerance >= 2)) return;
  const s = Math.round(polling * tolerance * 1000) / 1000;
  out.textContent = `A silent server counts as Offline after ${s < 120 ? `${s} s` : `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""} (${s} s)`}.`;
});

// Copy buttons.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    say("Copied");
  } catch { // not allowed, or no secure origin: select it instead
    const code = button.parentElement.querySelector("code, pre");
    if (code) getSelection().selectAllChildren(code);
    say("Selected; copy it with the keyboard");
  }
});

// The menu of the bar closes when one clicks elsewhere, or presses Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// The communication order, by keyboard (Alt and an arrow presses the row's own
// button) and by drag (sends the buttons' form, with how far).

document.addEventListener("keydown", (event) => {
  if (!event.altKey || event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
  const row = event.target.closest?.("tr[data-place]");
  if (!row) return;
  event.preventDefault();
  row.querySelector(`form[data-move] [value='${event.key === "ArrowUp" ? -1 : 1}']`)?.click();
});

let dragged;

// release lets panels follow again (live.js), which did not while a row was dragged.
function release() {
  for (const panel of document.querySelectorAll("[data-keep]")) {
    delete panel.dataset.keep;
    panel.dispatchEvent(new CustomEvent("tieline:released", { bubbles: true }));
  }
}

function overRow(event) {
  const row = document.elementFromPoint(event.clientX, event.clientY)?.closest("tr[data-place]");
  return row && row.parentElement === dragged.parentElement ? row : null;
}

function clearDrop() {
  for (const el of document.querySelectorAll(".drop-before, .drop-after")) el.classList.remove("drop-before", "drop-after");
}

document.addEventListener("pointerdown", (event) => {
  const handle = event.target.closest?.(".handle");
  if (!handle) return;
  event.preventDefault();
  dragged = handle.closest("tr[data-place]");
  dragged.classList.add("dragging");
  dragged.closest("[data-live]").dataset.keep = "1";
  handle.setPointerCapture(event.pointerId);
});

document.addEventListener("pointermove", (event) => {
  if (!dragged) return;
  clearDrop();
  const row = overRow(event);
  if (!row || row === dragged) return;
  const down = Number(row.dataset.place) > Number(dragged.dataset.place);
  row.classList.add(down ? "drop-after" : "drop-before");
});

for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, (event) => {
    if (!dragged) return;
    const row = end === "pointerup" ? overRow(event) : null, from = dragged;
    const form = from.querySelector("form[data-move]"), by = row ? row.dataset.place - from.dataset.place : 0;
    dragged = undefined;
    from.classList.remove("dragging");
    clearDrop();
    if (form && by) post(form, null, { by }); // before the rows are others
    release();
  });
}
