// Filters and sorts the thumbnails of a gallery.
const byId = (id) => document.getElementById(id);
const chips = [...document.querySelectorAll(".chips button")];
const sections = [...document.querySelectorAll("section")];

function filter() {
  const groups = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.value);
  for (const section of sections) {
    const figures = [...section.querySelectorAll("figure")];
    for (const figure of figures) figure.hidden = groups.length > 0 && !groups.includes(figure.dataset.group);
    const none = figures.length > 0 && figures.every((figure) => figure.hidden);
    section.hidden = none || (byId("clip").value !== "" && byId("clip").value !== section.id);
  }
}

function sort() {
  const key = byId("sort").value;
  for (const images of document.querySelectorAll(".images")) {
    const order = [...images.children].sort((one, other) => one.dataset[key] - other.dataset[key]);
    images.append(...order);
  }
}

for (const chip of chips) {
  chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") !== "true");
    filter();
  });
}
byId("clip").addEventListener("change", filter);
byId("sort").addEventListener("change", sort);
document.querySelector(".bar").hidden = false;
