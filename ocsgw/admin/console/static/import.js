// A file may be dropped anywhere on the form, and how much of it was sent is shown. Without this file the form does it.
"use strict";
const form = document.getElementById("upload");
const chosen = form.elements.file;
const bar = form.querySelector("progress");
const say = (text) => {
  const message = document.createElement("p");
  message.className = "note bad";
  message.setAttribute("role", "alert");
  message.textContent = text;
  form.before(message);
};
for (const name of ["dragenter", "dragover"]) {
  form.addEventListener(name, (event) => { event.preventDefault(); form.classList.add("over"); });
}
form.addEventListener("dragleave", () => form.classList.remove("over"));
form.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  if (event.dataTransfer.files.length) chosen.files = event.dataTransfer.files;
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  form.parentElement.querySelectorAll(".note").forEach((each) => each.remove());
  if (chosen.files[0].size > Number(form.dataset.largest)) {
    say("This file is too large to be sent; import it with ocsctl list import.");
    return;
  }
  const sending = new XMLHttpRequest();
  sending.upload.addEventListener("progress", (sent) => { bar.value = sent.loaded / sent.total; });
  sending.addEventListener("error", () => { bar.hidden = true; say("The file could not be sent; load this page again, and see whether the server is there."); });
  sending.addEventListener("load", () => {
    if (sending.status === 200) { location.assign(sending.responseURL); return; }
    const answer = new DOMParser().parseFromString(sending.responseText, "text/html");
    bar.hidden = true;
    say(answer.querySelector(".note")?.textContent ?? "The server did not take the file.");
  });
  bar.hidden = false;
  sending.open("POST", form.action);
  sending.send(new FormData(form));
});
