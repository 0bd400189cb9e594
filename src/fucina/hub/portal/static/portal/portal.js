// What JavaScript adds; every page works without it.
"use strict";

const seen = new Map(); // last markup from the server, by id of a live part

function showLocalTimes(root) {
  if (new Date().getTimezoneOffset() === 0) return;
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" });
  for (const time of root.querySelectorAll("time.instant")) {
    if (time.nextElementSibling?.className === "local") continue;
    const local = document.createElement("span");
    local.className = "local";
    local.textContent = ` (${format.format(new Date(time.dateTime))})`;
    time.after(local);
  }
}

function addCopyButtons(root) {
  if (!navigator.clipboard) return;
  const words = document.body.dataset;
  for (const box of root.querySelectorAll(".command")) {
    if (box.querySelector("button")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "second";
    button.textContent = words.copy;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector("pre").textContent.trim());
      button.textContent = words.copied;
      setTimeout(() => { button.textContent = words.copy; }, 2000);
    });
    box.append(button);
  }
}

const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
const endOfLogs = (root) => { for (const log of root.querySelectorAll(".log")) log.scrollTop = log.scrollHeight; };

function connection(isLost) {
  const note = document.querySelector(".live-note");
  if (!note) return;
  note.classList.toggle("lost", isLost);
  note.textContent = isLost ? note.dataset.lost : note.dataset.live;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.id === "poll") event.preventDefault();
});
document.addEventListener("htmx:sendError", () => connection(true));
document.addEventListener("htmx:responseError", () => connection(true));
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful) return;
  connection(false);
  if (new URL(event.detail.xhr.responseURL).pathname !== location.pathname) location.reload(); // signed out meanwhile
});

const kept = new Map(); // scroll places of a part that is being replaced, by its id

// A part that did not change is left alone; one that did keeps open details, scroll places and the end of a log.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  if (target.id === "poll") return;
  const next = fragment.firstElementChild;
  const markup = next ? next.outerHTML : fragment.textContent;
  if (markup === (seen.get(target.id) ?? (next ? null : target.textContent))) {
    event.detail.shouldSwap = false;
    return;
  }
  seen.set(target.id, markup);
  if (!next) return;
  for (const open of target.querySelectorAll("details[open][id]")) {
    next.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
  }
  kept.set(target.id, [...target.querySelectorAll("[data-keep-scroll]")].map((box) => [box.id, box.scrollTop, atEnd(box)]));
});
document.addEventListener("htmx:oobAfterSwap", (event) => {
  const part = document.getElementById(event.detail.target.id);
  if (!part) return;
  showLocalTimes(part);
  addCopyButtons(part);
  for (const [id, top, follow] of kept.get(part.id) ?? []) {
    const box = document.getElementById(id);
    if (box) box.scrollTop = follow ? box.scrollHeight : top;
  }
  kept.delete(part.id);
});

showLocalTimes(document);
addCopyButtons(document);
endOfLogs(document);
