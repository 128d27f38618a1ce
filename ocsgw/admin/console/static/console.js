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
source.addEventListener("end", () => { source.close(); location.reload(); });
