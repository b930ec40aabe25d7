// What htmx does not do: copying, dropping files, uploads that resume, and following a validation.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

async function copy(button) {
  const text = button.parentElement.querySelector("code").textContent;
  await navigator.clipboard.writeText(text);
  button.textContent = "✓";
}

for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    const zone = event.target.closest && event.target.closest("[data-drop]");
    if (!zone) return;
    event.preventDefault();
    zone.classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) give(zone.querySelector("input"), event.dataTransfer.files);
  });
}

function give(input, files) {
  input.files = files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

// An upload goes in pieces; the server tells where to go on, also after a break or another day.
const CHUNK_BYTES = 1 << 20;

class Refused extends Error {}

async function send(url, options) {
  const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), ...options.headers };
  const answer = await fetch(url, { ...options, headers });
  if (!answer.ok) throw new Refused(String(answer.status));
  return answer.json();
}

async function upload(file, learnware, tell) {
  const form = new FormData();
  for (const [name, value] of [["name", file.name], ["size", file.size], ["modified", file.lastModified], ["learnware", learnware]]) form.set(name, value);
  let state = await send("/submit/packages", { method: "POST", body: form });
  tell(state);
  while (state.committed < state.size) {
    const piece = file.slice(state.committed, state.committed + CHUNK_BYTES);
    const url = `/submit/packages/${state.id}?offset=${state.committed}`;
    state = await send(url, { method: "PUT", body: piece, headers: { "Content-Type": "application/octet-stream" } });
    tell(state);
  }
  return state.id;
}

function prepareUpload(input) {
  const box = document.querySelector("[data-upload-progress]");
  const [bar, output, again] = ["progress", "output", "[data-upload-again]"].map((part) => box.querySelector(part));
  const tell = (state) => {
    bar.value = (100 * state.committed) / state.size;
    output.textContent = `${Math.floor(bar.value)} %`;
  };
  const begin = async () => {
    if (!input.files.length) return;
    box.hidden = false;
    again.hidden = true;
    try {
      window.location.assign(`/submit/${await upload(input.files[0], input.dataset.learnware, tell)}`);
    } catch (error) {
      output.textContent = input.dataset.failed;
      again.hidden = false;
    }
  };
  input.addEventListener("change", begin);
  again.addEventListener("click", begin);
}

// The server draws the report; at the end the page is loaded anew, since more than the report has changed.
function follow(box) {
  const source = new EventSource(box.dataset.events);
  source.addEventListener("report", (event) => {
    box.innerHTML = event.data;
  });
  source.addEventListener("end", () => {
    source.close();
    window.location.reload();
  });
}

document.querySelectorAll("[data-upload]").forEach(prepareUpload);
document.querySelectorAll("[data-events]").forEach(follow);
