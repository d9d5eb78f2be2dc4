// The sliders of the page that html_page.py writes: each row compares two panels, chosen in <nav>.
const [left, right] = document.querySelectorAll("nav select");
const rows = [...document.querySelectorAll("section")];

function panelSource(row, label) {
  const figures = [...row.querySelectorAll("figure")];
  return figures.find((figure) => figure.dataset.label === label).querySelector("img").src;
}

function showChosenPanels() {
  for (const row of rows) {
    const [under, over] = row.querySelectorAll(".stage img");
    under.src = panelSource(row, right.value);
    over.src = panelSource(row, left.value);
    row.querySelectorAll(".stage b").forEach((name, side) => name.textContent = [left, right][side].value);
  }
}

for (const row of rows) {
  const stage = row.querySelector(".stage");
  const range = stage.querySelector("input");
  const cut = (percent) => {
    range.value = percent;
    stage.style.setProperty("--cut", percent + "%");
  };
  stage.addEventListener("pointermove", (event) => {
    const box = stage.getBoundingClientRect();
    cut(Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / box.width)));
  });
  range.addEventListener("input", () => cut(range.value));
  cut(50);
  stage.hidden = false;
}

for (const select of [left, right]) select.addEventListener("change", showChosenPanels);
showChosenPanels();
document.querySelector("nav").hidden = false;
