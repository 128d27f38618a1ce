// Replaces the parts of a page that have changed. Without this file pages show what was true when they were asked for.
"use strict";
const source = new EventSource("/live?" + document.body.dataset.live);
source.addEventListener("parts", (event) => {
  for (const [id, html] of Object.entries(JSON.parse(event.data))) {
    const part = document.getElementById(id);
    // What somebody is about to use stays as it is until they have left it.
    if (part && !part.contains(document.activeElement)) part.outerHTML = html;
  }
  if (document.querySelector("[data-over]")) { source.close(); location.reload(); }
});
// What is shown while nobody answers is old, and has to say so.
const old = document.createElement("p");
old.className = "note bad";
old.setAttribute("role", "alert");
source.addEventListener("open", () => old.remove());
source.addEventListener("error", () => {
  if (!old.isConnected) {
    old.textContent = "This page is not up to date: nothing comes from the server.";
    document.querySelector("h1").after(old);
  }
  // Refused for good, as after a restart that has ended the session: the whole page is asked for again.
  if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
});
source.addEventListener("end", () => { source.close(); location.reload(); });
