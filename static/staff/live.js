/* Keeps the staff page fresh: asks for its sections, replaces those that changed. The page is whole without it. */
(() => {
  "use strict";
  const root = document.querySelector("[data-live-url]");
  if (!root) return;
  const status = root.querySelector("[data-live-status]");
  const toggle = root.querySelector("[data-live-toggle]");
  const every = Number(root.dataset.every);
  const last = new Map();
  let held = false;
  let timer = 0;

  const say = (text, state) => {
    status.textContent = text;
    root.dataset.state = state;
  };

  /* The link that has the focus, or the disclosure that is open, is found again after its section was replaced. */
  const replace = (section, html) => {
    const focused = section.contains(document.activeElement) ? document.activeElement : null;
    const href = focused && focused.getAttribute("href");
    section.innerHTML = html;
    if (href) {
      const again = [...section.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
      if (again) again.focus({ preventScroll: true });
    }
  };

  const show = (answer) => {
    for (const [name, html] of Object.entries(answer.sections)) {
      const section = root.querySelector(`[data-live-section="${name}"]`);
      if (section && last.get(name) !== html) replace(section, html);
      last.set(name, html);
    }
    say(`as of ${new Date(answer.at).toISOString().slice(11, 19)} UTC`, "live");
  };

  const ask = async () => {
    const response = await fetch(root.dataset.liveUrl, {
      headers: { Accept: "application/json" },
      credentials: "same-origin",
      signal: AbortSignal.timeout(15000),
    });
    if (response.status === 403) {
      say("You are signed out. Reload the page to sign in.", "off");
      return false;
    }
    if (!response.ok) throw new Error(String(response.status));
    show(await response.json());
    return true;
  };

  const tick = async () => {
    let again = true;
    try {
      if (!document.hidden) again = await ask();
    } catch {
      say("The server does not answer. Trying again.", "late");
    }
    if (again && !held) timer = window.setTimeout(tick, every);
  };

  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    held = !held;
    toggle.setAttribute("aria-pressed", String(held));
    toggle.textContent = held ? "Go on" : "Hold still";
    window.clearTimeout(timer);
    if (held) say("held still", "off");
    else tick();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || held) return;
    window.clearTimeout(timer);
    tick();
  });
  timer = window.setTimeout(tick, every);
})();
