// Answers while somebody types: how many stored alerts a subscription takes, and
// what a mapping comes to. Without script the page says so when it is loaded.

import { morph, parse } from "./morph.js";

const patience = 350; // ms without a key before the server is asked

const number = (n) => n.toLocaleString("en-US");

// ask calls done with the answer to the newest question only.
function asker(done) {
  let timer, call;
  return (url, wait = patience) => {
    clearTimeout(timer);
    call?.abort();
    timer = setTimeout(async () => {
      call = new AbortController();
      try {
        const answer = await fetch(url, { headers: { Accept: "application/json" }, signal: call.signal });
        done(await answer.json(), answer.ok);
      } catch (error) {
        if (error.name !== "AbortError") done({ detail: "This server could not be reached." }, false);
      }
    }, wait);
  };
}

function countText(c) {
  if (c.problem) return `This is no subscription: ${c.problem}`;
  if (!c.looked) return "No alert of these sources is stored yet to try it on.";
  let text = `Matches ${number(c.matches)} of the newest ${number(c.looked)} stored alerts of these sources`;
  text += c.looked >= c.limit ? " (no more are looked at)." : ".";
  if (c.failed) text += ` For ${number(c.failed)} it cannot be evaluated, which counts as no match: ${c.why}`;
  if (!c.complete) text += " Time ran out.";
  return text;
}

function counts(area) {
  const line = document.getElementById("count");
  const ask = asker((answer, ok) => {
    line.textContent = ok ? countText(answer) : answer.detail;
    line.toggleAttribute("data-wrong", !ok || Boolean(answer.problem));
  });
  area.addEventListener("input", () => ask(`${area.dataset.count}?${new URLSearchParams({ subscription: area.value })}`));
}

function previews(area) {
  const box = document.getElementById(`${area.id}-preview`);
  const cel = document.querySelector(`[data-cel="${area.id}"]`);
  const ask = asker((answer, ok) => {
    const problem = ok ? answer.problem : answer.detail;
    box.textContent = problem || answer.text;
    box.classList.toggle("problem", Boolean(problem));
    box.ariaBusy = null;
  });
  const changed = () => {
    box.ariaBusy = "true";
    ask(`${area.dataset.preview}?${new URLSearchParams({ [cel?.checked ? "cel" : "template"]: area.value, alert: area.dataset.alert })}`);
  };
  area.addEventListener("input", changed);
  cel?.addEventListener("change", changed);
}

document.querySelectorAll("textarea[data-count]").forEach(counts);
document.querySelectorAll("textarea[data-preview]").forEach(previews);

// Another alert to preview on: what is typed stays, and comes to something else.
async function chosen(choice) {
  const alert = new URLSearchParams({ alert: choice.value });
  history.replaceState(null, "", `?${alert}`);
  for (const field of document.querySelectorAll("input[type=hidden][name=alert]")) field.value = choice.value;
  for (const area of document.querySelectorAll("textarea[data-preview]")) {
    area.dataset.alert = choice.value;
    if (area.value) area.dispatchEvent(new Event("input"));
  }
  const answer = await fetch(`?fragment=told&${alert}`).catch(() => null);
  if (answer?.ok) morph(document.getElementById("told"), parse(await answer.text()).body.firstElementChild);
}

document.querySelectorAll("select.alert-choice").forEach((choice) => {
  choice.addEventListener("change", () => chosen(choice));
});
