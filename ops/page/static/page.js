// Keeps what is live on the page fresh, and copies commands. Nothing else happens here.
"use strict";

const state = document.getElementById("state");

function busy() {
  // What somebody reads, selects or has opened is not to be replaced under their hands.
  const live = document.getElementById("live");
  const selection = document.getSelection();
  return (
    document.hidden ||
    live.contains(document.activeElement) ||
    live.querySelector("details[open]") !== null ||
    (selection !== null && !selection.isCollapsed)
  );
}

async function refresh() {
  const live = document.getElementById("live");
  if (!busy()) {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const replacement = fresh.getElementById("live");
      if (replacement !== null && !busy()) live.replaceWith(replacement);
      const heading = fresh.querySelector("h1");
      if (heading !== null) document.querySelector("h1").textContent = heading.textContent;
      state.textContent = `Read at ${new Date().toLocaleTimeString()}.`;
    } catch {
      state.textContent = "The server does not answer; trying again.";
    }
  }
  setTimeout(refresh, 1000 * Number(document.getElementById("live").dataset.every));
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button === null) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

setTimeout(refresh, 1000 * Number(document.getElementById("live").dataset.every));
