"use strict";
(() => {
  const form = document.getElementById("pick");
  const address = () => "?" + new URLSearchParams(new FormData(form)).toString();
  let asked = 0;
  async function refresh() {
    const mine = ++asked;
    try {
      const answer = await fetch(address(), { cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (!answer.ok) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine !== asked) return;
      for (const part of document.querySelectorAll("[data-live]")) {
        part.replaceChildren(...next.getElementById(part.id).childNodes);
      }
      document.body.classList.remove("stale");
    } catch {
      document.body.classList.add("stale");
    }
  }
  const pick = () => {
    history.replaceState(null, "", address());
    refresh();
  };
  form.addEventListener("input", pick);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    pick();
  });
  setInterval(() => document.hidden || refresh(), 5000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  document.body.classList.add("alive");
})();
