// An agent page for ocsgw: fetch the next record, call it, report what came of it. Static files, no build step; the
// listener has to name the origin of this page in cors_origins. docs/tutorial.md explains it.
"use strict";

const el = (id) => document.getElementById(id);
const RESULTS = ["Answer", "Busy", "No Answer", "Answering Machine", "Wrong Number", "Wrong Party"];
// Shown of a record; everything else that has no GSW_ in its name is a field of the calling list.
const FACTS = { GSW_CALLING_LIST: "List", GSW_CAMPAIGN_NAME: "Campaign", GSW_ATTEMPTS: "Attempts", GSW_TZ_NAME: "Time zone" };

let connection = null;
let record = null;

function say(text) {
  el("state").textContent = text;
}

// A request, repeated once if its answer was lost: the key lets the server answer again instead of doing it again.
async function ask(target, members) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
  if (connection.key) headers.Authorization = "Bearer " + connection.key;
  const options = { method: "POST", headers, body: JSON.stringify(members || {}) };
  let answer;
  try {
    answer = await fetch(connection.server + target, options);
  } catch (error) {
    answer = await fetch(connection.server + target, options);
  }
  const event = await answer.json();
  if (!answer.ok) throw new Error(event.GSW_ERROR + (event.GSW_ERROR_HINT ? ". " + event.GSW_ERROR_HINT : ""));
  return event;
}

function show(found) {
  record = found;
  el("record").hidden = found === null;
  el("next").disabled = found !== null;
  if (found === null) return;
  el("finish").reset();
  el("later").reset();
  el("dial").textContent = found.GSW_PHONE;
  el("dial").href = "tel:" + found.GSW_PHONE.replace(/[^+0-9]/g, "");
  el("facts").replaceChildren();
  for (const [key, value] of Object.entries(found)) {
    const name = FACTS[key] || (key.startsWith("GSW_") ? null : key);
    if (name === null || value === "" || value === null) continue;
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    el("facts").append(term, text);
  }
  el("dial").focus();
}

// Carries out one step; what goes wrong is said, and the record stays.
async function step(action) {
  const buttons = document.querySelectorAll("#work button");
  const before = new Map([...buttons].map((button) => [button, button.disabled]));
  buttons.forEach((button) => { button.disabled = true; });
  try {
    await action();
  } catch (error) {
    say(error.message);
  }
  buttons.forEach((button) => { button.disabled = before.get(button); });
  el("next").disabled = record !== null;
}

const of = (request) => "/records/" + record.GSW_RECORD_HANDLE + "?req=" + request;

function connect() {
  connection = {
    server: el("server").value.replace(/\/+$/, ""), group: el("group").value, agent: el("agent").value, key: el("key").value,
  };
  sessionStorage.setItem("ocsgw", JSON.stringify({ ...connection, key: "" }));
  el("work").hidden = false;
  say("Ready");
}

el("connect").addEventListener("submit", (event) => {
  event.preventDefault();
  connect();
});

el("next").addEventListener("click", () => step(async () => {
  const members = connection.agent ? { GSW_AGENT_ID: connection.agent } : {};
  const found = await ask("/campaigngroups/" + encodeURIComponent(connection.group) + "?req=PreviewRecordRequest", members);
  const empty = found.GSW_USER_EVENT !== "PreviewRecord";
  show(empty ? null : found);
  say(empty ? "Nothing to call at the moment" : "Record " + found.GSW_RECORD_HANDLE);
}));

el("finish").addEventListener("submit", (event) => {
  event.preventDefault();
  step(async () => {
    const result = el("result").value;
    await ask(of("RecordProcessed"), { GSW_CALL_RESULT: result });
    show(null);
    say("Done: " + result);
  });
});

el("later").addEventListener("submit", (event) => {
  event.preventDefault();
  step(async () => {
    const [day, time] = el("when").value.split("T");
    const [year, month, date] = day.split("-");
    const mine = el("mine").checked;
    const members = { GSW_CALLBACK_TYPE: mine ? "Personal" : "Campaign", GSW_DATE_TIME: `${month}/${date}/${year} ${time.slice(0, 5)}` };
    if (mine && connection.agent) members.GSW_AGENT_ID = connection.agent;
    await ask(of("RecordReschedule"), members);
    await ask(of("RecordProcessed"), {});
    show(null);
    say("Scheduled for " + el("when").value.replace("T", " "));
  });
});

el("back").addEventListener("click", () => step(async () => {
  await ask(of("RecordReject"), {});
  show(null);
  say("Given back");
}));

el("never").addEventListener("click", () => step(async () => {
  await ask(of("DoNotCall"), {});
  show(null);
  say("Will not be called again");
}));

for (const name of RESULTS) el("result").append(new Option(name));

const given = { ...JSON.parse(sessionStorage.getItem("ocsgw") || "{}"), ...Object.fromEntries(new URLSearchParams(location.search)) };
for (const name of ["server", "group", "agent"]) if (given[name]) el(name).value = given[name];
if (given.server && given.group) connect();
