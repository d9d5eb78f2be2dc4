// The page of a run: progress.js beside it calls showRun, and is loaded again while the run goes on.
const byId = (id) => document.getElementById(id);
const EVERY = 3000; // [ms] while it goes on
const SILENT = 600; // [s] without a report, and five times the usual, after which it may have been stopped

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours) return `${hours}h ${String(minutes % 60).padStart(2, "0")}m`;
  return minutes ? `${minutes}m ${String(Math.floor(seconds % 60)).padStart(2, "0")}s` : `${Math.round(seconds)}s`;
}

function stateOf(run) {
  const at = `iteration ${run.iteration.toLocaleString("en")}${run.total ? ` of ${run.total.toLocaleString("en")}` : ""}`;
  if (run.state !== "training") return `${run.state[0].toUpperCase()}${run.state.slice(1)} at ${at}.`;
  const since = Date.now() / 1000 - run.written;
  if (since > Math.max(SILENT, 5 * run.every)) return `At ${at}; no report for ${duration(since)}: it may have been stopped.`;
  return run.left === null ? "Training begins." : `Training: ${at}, ${duration(Math.max(0, run.left - since))} left.`;
}

let shown = "";
function showRun(run) {
  byId("state").textContent = stateOf(run);
  const text = JSON.stringify(run);
  if (text === shown) return;
  shown = text;
  byId("done").style.width = `${run.total ? Math.min(100, 100 * run.iteration / run.total) : 0}%`;
  byId("speed").textContent = run.state === "training" ? run.line : "";
  byId("empty").hidden = run.main.length > 0;
  byId("more").parentElement.hidden = run.more.length === 0;
  drawCurves(byId("main"), run.main);
  drawCurves(byId("more"), run.more);
  showVerdict(run);
  byId("sheets").replaceChildren(...run.sheets.flatMap(sheet));
}

function paragraph(text) {
  return Object.assign(document.createElement("p"), { textContent: text });
}

// Lines that begin with a space are details.
function showVerdict({ verdict, verdict_page }) {
  const section = byId("verdict");
  section.hidden = !verdict.length;
  const shown = verdict.filter((line) => !line.startsWith(" ")).map(paragraph);
  const details = document.createElement("details");
  details.append(Object.assign(document.createElement("summary"), { textContent: "in numbers" }));
  details.append(...verdict.map((line) => paragraph(line.trim())));
  if (verdict_page) {
    shown.push(Object.assign(document.createElement("a"), { href: verdict_page, textContent: "look at the crops" }));
  }
  section.replaceChildren(section.firstElementChild, ...shown, details);
}

function sheet({ title, file }) {
  const head = Object.assign(document.createElement("h2"), { textContent: title });
  return [head, Object.assign(document.createElement("img"), { src: file, alt: title })];
}

function load() {
  const script = document.createElement("script");
  script.src = `progress.js?${Date.now()}`;
  script.onload = script.onerror = () => script.remove();
  document.head.append(script);
}

load();
setInterval(() => document.hidden || load(), EVERY);
