// Keeps what changes on a page up to date. Without this script every page is complete and has a link to load it anew.
// A part marked data-live="milliseconds" is fetched again with its page and replaced when it differs.
"use strict";

(() => {
  const part = document.querySelector("[data-live]");
  if (!part || !part.id || !("DOMParser" in window)) return;

  const words = { pause: part.dataset.pause, resume: part.dataset.resume };
  const SLOWEST_MS = 60000;
  let paused = false;
  let failures = 0;
  let timer = 0;

  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet live-switch";
  button.textContent = words.pause;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? words.resume : words.pause;
    if (paused) clearTimeout(timer);
    else refresh();
  });
  part.after(button);

  function current() {
    return document.getElementById(part.id);
  }

  function later() {
    const wanted = Number(current().dataset.live) || SLOWEST_MS;
    clearTimeout(timer);
    if (!paused) timer = setTimeout(refresh, Math.min(wanted * 2 ** failures, SLOWEST_MS));
  }

  // Somebody who types, reads a table or has chosen text must not lose the place.
  function busy(old) {
    const chosen = window.getSelection();
    const choosing = chosen && !chosen.isCollapsed && old.contains(chosen.anchorNode);
    return choosing || (document.activeElement && old.contains(document.activeElement));
  }

  async function refresh() {
    const old = current();
    if (document.hidden || busy(old)) return later();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(part.id);
      if (fresh && !busy(old) && fresh.innerHTML !== old.dataset.seen) replace(old, fresh);
      failures = 0;
    } catch {
      failures = Math.min(failures + 1, 5);
    }
    later();
  }

  function replace(old, fresh) {
    const open = [...old.querySelectorAll("details")].map((each) => each.open);
    const seen = fresh.innerHTML;
    fresh.querySelectorAll("details").forEach((each, place) => { each.open = open[place] ?? each.open; });
    const adopted = document.adoptNode(fresh);
    adopted.dataset.seen = seen;
    old.replaceWith(adopted);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) refresh(); });
  later();
})();
