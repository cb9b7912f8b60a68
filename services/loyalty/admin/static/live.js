// Refreshes the first page while somebody looks at it. Without JavaScript, reloading the page does the same.
(() => {
  "use strict";
  const live = document.getElementById("live");
  if (!live) return;

  const EVERY_MS = 2000;
  const UNATTENDED_MS = 15 * 60 * 1000; // then it pauses, and the session may grow idle
  const state = document.getElementById("live-state");
  const pause = document.getElementById("pause");
  let paused = false;
  let lastInput = Date.now();

  const say = (name) => {
    state.className = `live-state is-${name}`;
    if (state.textContent !== state.dataset[name]) state.textContent = state.dataset[name];
  };

  const setPaused = (value) => {
    paused = value;
    pause.setAttribute("aria-pressed", String(value));
    pause.textContent = value ? pause.dataset.paused : pause.dataset.running;
    say(value ? "paused" : "live");
  };

  const keysOf = (root) => new Set([...root.querySelectorAll("[data-key]")].map((row) => row.dataset.key));

  // Puts the new part in place; what was open stays open, what had the focus keeps it.
  const show = (html) => {
    const before = keysOf(live);
    const openDetails = [...live.querySelectorAll("details")].map((each) => each.open);
    const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    live.innerHTML = html;
    live.querySelectorAll("details").forEach((each, place) => { each.open = openDetails[place] || false; });
    live.querySelectorAll("[data-key]").forEach((row) => {
      if (before.size && !before.has(row.dataset.key)) row.classList.add("is-new");
    });
    if (focused) live.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  };

  const refresh = async () => {
    if (Date.now() - lastInput > UNATTENDED_MS && !paused) setPaused(true);
    if (!paused && !document.hidden) {
      try {
        const answer = await fetch(live.dataset.address, { credentials: "same-origin" });
        if (answer.status === 401) { window.location.reload(); return; }
        if (!answer.ok) throw new Error(String(answer.status));
        const html = await answer.text();
        if (!paused) { show(html); say("live"); }
      } catch {
        say("lost");
      }
    }
    window.setTimeout(refresh, EVERY_MS);
  };

  for (const kind of ["keydown", "pointerdown", "pointermove"]) {
    window.addEventListener(kind, () => { lastInput = Date.now(); }, { passive: true });
  }
  pause.hidden = false;
  pause.addEventListener("click", () => setPaused(!paused));
  say("live");
  window.setTimeout(refresh, EVERY_MS);
})();
