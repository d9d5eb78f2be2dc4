// The page of images: every row compares two of its panels, chosen in the bar; all rows have one zoom.
const byId = (id) => document.getElementById(id);
const chosen = { left: byId("left"), right: byId("right") };
const MOST_HEIGHT = 0.95; // of the window, that a stage takes
const [WHOLE_SHARE, CROP_SHARE] = [0.7, 0.55]; // of a row's width, that a stage takes at most
const NARROW = 900; // [pixels] windows whose panels are below the stage

class Row {
  constructor(element) {
    this.element = element;
    this.stage = element.querySelector(".stage");
    this.stage.hidden = false;
    this.figures = [...element.querySelectorAll("figure")];
    const size = element.dataset.size.split(" ").map(Number);
    element.style.setProperty("--aspect", size[0] / size[1]);
    const windows = [{ box: this.stage, pictures: [...this.stage.querySelectorAll(".picture")] }];
    for (const figure of this.figures) {
      const button = figure.querySelector(".window");
      windows.push({ box: button, pictures: [button.querySelector(".picture")] });
      button.addEventListener("click", (event) => choose(event.shiftKey ? "left" : "right", figure.dataset.label));
    }
    this.view = new View(size, windows);
    this.control = new Stage(this.stage, this.view, { onTap: showBoth, onZoom: (zoom, place) => zoomTo(zoom, this, place) });
    this.fit();
  }

  // A stage is a whole multiple of its pictures where there is room, so that no pixel is blurred.
  fit() {
    const grid = this.element.querySelector(".columns");
    const isNarrow = innerWidth <= NARROW;
    const share = this.element.classList.contains("whole") ? WHOLE_SHARE : CROP_SHARE;
    const room = isNarrow ? grid.clientWidth : Math.floor(grid.clientWidth * share);
    const [width, height] = this.view.size.map((pixels) => pixels / devicePixelRatio);
    const most = Math.max(1, Math.floor(MOST_HEIGHT * innerHeight / height));
    const times = Math.min(most, Math.floor(room / width));
    const shown = times < 1 ? room : times * width;
    this.stage.style.width = `${shown}px`;
    grid.style.gridTemplateColumns = isNarrow ? "minmax(0, 1fr)" : `${shown}px minmax(0, 1fr)`;
    const zoom = this.view.zoom || times;
    this.stage.classList.toggle("pixelated", zoom >= 1);
    for (const figure of this.figures) figure.classList.toggle("pixelated", this.view.zoom >= 1);
  }

  show() {
    for (const [side, { value }] of Object.entries(chosen)) {
      const image = this.figures.find((figure) => figure.dataset.label === value).querySelector("img");
      const layer = this.stage.querySelector(`.layer.${side}`);
      const own = layer.querySelector("img");
      if (own.src !== image.src) own.src = image.src;
      own.className = image.className;
      own.alt = value;
      layer.querySelector("b").textContent = value;
    }
    for (const figure of this.figures) {
      const shown = Object.values(chosen).some(({ value }) => value === figure.dataset.label);
      figure.classList.toggle("chosen", shown);
    }
  }
}

function choose(side, label) {
  chosen[side].value = label;
  for (const row of rows) row.show();
}

// Zoom all rows; the one where it was asked for keeps what is at the place.
function zoomTo(zoom, asked, place) {
  byId("zoom").value = zoom;
  for (const row of rows) {
    row.view.zoomTo(zoom, row === asked ? place : null);
    row.fit();
  }
}

// Which pictures the stages show whole: "left", "right", or "" for both beside the divider.
let only = "";
let blinking = 0;
function showOnly(side) {
  only = side;
  for (const { stage } of rows) {
    stage.classList.toggle("only-left", side === "left");
    stage.classList.toggle("only-right", side === "right");
  }
}
const AFTER = { "": "left", left: "right", right: "" };

function showBoth() {
  if (blinking) toggleBlink();
  showOnly("");
}

function toggleBlink() {
  if (blinking) clearInterval(blinking);
  blinking = blinking ? 0 : setInterval(() => showOnly(only === "left" ? "right" : "left"), 700);
  byId("blink").setAttribute("aria-pressed", Boolean(blinking));
  showOnly(blinking ? "left" : "");
}

function swap() {
  [chosen.left.value, chosen.right.value] = [chosen.right.value, chosen.left.value];
  for (const row of rows) row.show();
}

function go(by) {
  const tops = rows.map(({ element }) => element.getBoundingClientRect().top);
  const bar = document.querySelector(".bar").offsetHeight + 8;
  const next = by > 0 ? tops.findIndex((top) => top > bar + 4) : tops.findLastIndex((top) => top < bar - 4);
  if (next >= 0) scrollBy({ top: tops[next] - bar, behavior: "instant" });
}

function zoomBy(by) {
  const zooms = [...byId("zoom").options].map((option) => Number(option.value));
  const next = zooms[zooms.indexOf(Number(byId("zoom").value)) + by];
  if (next !== undefined) zoomTo(next);
}

const rows = [...document.querySelectorAll(".row")].map((element) => new Row(element));
for (const row of rows) row.show();

for (const select of Object.values(chosen)) {
  select.addEventListener("change", () => rows.forEach((row) => row.show()));
}
byId("zoom").addEventListener("change", (event) => zoomTo(Number(event.target.value)));
byId("swap").addEventListener("click", swap);
byId("blink").addEventListener("click", toggleBlink);
addEventListener("resize", () => rows.forEach((row) => row.fit()));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select")) return;
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
  if (digit) {
    const option = chosen.right.options[digit - 1];
    if (option) choose(event.shiftKey ? "left" : "right", option.value);
    return;
  }
  if (event.target.matches("button, summary") && event.key === " ") return;
  const actions = {
    " ": () => showOnly(AFTER[only]),
    b: toggleBlink,
    x: swap,
    n: () => go(1),
    p: () => go(-1),
    "+": () => zoomBy(1),
    "-": () => zoomBy(-1),
    0: () => zoomTo(0),
    Escape: showBoth,
  };
  if (!(event.key in actions)) return;
  actions[event.key]();
  event.preventDefault();
});
for (const element of document.querySelectorAll(".bar, .keys")) element.hidden = false;
