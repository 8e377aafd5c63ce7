// Brings an element to what another one shows, changing as little as possible:
// focus, open menus, scrolling and what is being typed stay.

const keyOf = (n) => n.nodeType === 1 ? n.id || n.dataset.key || "" : "";

// Attributes that belong to the person or to a script, not to the page. A box that
// is ticked says what was ticked, as it was then.
const kept = (name, el) => name === "open" && el.nodeName === "DETAILS" || name === "data-fresh" || name === "data-keep"
  || name === "value" && el.type === "checkbox" && el.checked;

function attributes(old, next) {
  for (const { name, value } of [...next.attributes]) {
    if (!kept(name, old) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !kept(name, old)) old.removeAttribute(name);
  }
}

function children(old, next, changed) {
  const keyed = new Map();
  for (const c of old.children) if (keyOf(c)) keyed.set(keyOf(c), c);
  const wanted = new Set([...next.children].map(keyOf).filter(Boolean));
  let at = old.firstChild;
  for (const n of [...next.childNodes]) {
    const key = keyOf(n);
    let fit = key ? keyed.get(key) : at;
    // What has a key of its own and is still wanted is never used for another.
    while (!key && fit && keyOf(fit)) fit = wanted.has(keyOf(fit)) ? null : fit.nextSibling;
    if (fit && fit.nodeName === n.nodeName) {
      if (fit === at) at = at.nextSibling;
      else old.insertBefore(fit, at);
      node(fit, n, changed);
    } else {
      const made = document.importNode(n, true);
      old.insertBefore(made, at);
      if (made.nodeType === 1 && made.dataset.state !== undefined) changed.push(made);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function node(old, next, changed) {
  if (old.nodeType !== 1) {
    if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
    return;
  }
  const state = old.dataset.state, ticked = old.checked, default_ = old.defaultChecked;
  attributes(old, next);
  if (state !== undefined && state !== next.dataset.state) changed.push(old);
  if (old.hasAttribute("data-ago") && !next.textContent) return; // live.js writes it
  if (old === document.activeElement && "value" in old) return; // it is being typed in
  if (next.childNodes.length || old.childNodes.length) children(old, next, changed);
  // A box follows the page when the page changed its mind about it; else it stays
  // as the person left it.
  if (ticked !== undefined) old.checked = default_ === next.defaultChecked ? ticked : next.checked;
}

// morph makes old show what next shows, and returns the elements whose
// data-state changed.
export function morph(old, next) {
  const focused = document.activeElement, changed = [];
  node(old, next, changed);
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  // A button that can no longer be pressed cannot keep the focus: its neighbour has it.
  if (focused?.disabled) focused.closest("form, tr")?.querySelector("button:not(:disabled), a[href]")?.focus({ preventScroll: true });
  if (focused && !focused.isConnected && focused.id) document.getElementById(focused.id)?.focus({ preventScroll: true });
  return changed;
}

// parse returns the first element of a text.
export function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}
