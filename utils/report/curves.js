// Curves as SVG. A panel: { title, noisy, curves: [{ name, points: [[x, y]] }], levels: [{ name, value }] }.
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [360, 200, 48, 20, 8];
const LOG_RATIO = 30; // from which on positive values get a logarithmic axis
const SMOOTHED_FROM = 30; // points

// An average that follows a thirtieth of the curve, corrected for its start from 0 (Adam, section 3).
function smoothed(points) {
  const decay = Math.exp(-SMOOTHED_FROM / points.length);
  let [mean, weight] = [0, 0];
  return points.map(([x, y]) => {
    if (y !== null) {
      mean = decay * mean + (1 - decay) * y;
      weight = decay * weight + 1 - decay;
    }
    return [x, weight ? mean / weight : null];
  });
}

function svg(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Round numbers between two, about five.
function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const found = [];
  for (let number = Math.ceil(low / step); number * step <= high + step * 1e-9; number++) found.push(number * step);
  return found;
}

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  return size < 1e-3 ? value.toExponential(0) : String(+value.toPrecision(4));
}

function drawPanel(panel) {
  const points = panel.curves.flatMap((curve) => curve.points);
  const values = [...points.map(([, y]) => y), ...panel.levels.map(({ value }) => value)].filter((y) => y !== null);
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = panel.title;
  figure.append(caption);
  if (!values.length) return figure;

  let [low, high] = [Math.min(...values), Math.max(...values)];
  const isLog = low > 0 && high > LOG_RATIO * low;
  const scale = isLog ? Math.log10 : (value) => value;
  [low, high] = [scale(low), scale(high)];
  if (high === low) [low, high] = [low - 0.5 * (Math.abs(low) || 1), high + 0.5 * (Math.abs(high) || 1)];
  const margin = (high - low) * 0.05;
  [low, high] = [low - margin, high + margin];
  const last = Math.max(1, ...points.map(([x]) => x));
  const placeX = (x) => LEFT + (WIDTH - LEFT - 4) * x / last;
  const placeY = (y) => TOP + (HEIGHT - TOP - BOTTOM) * (high - scale(y)) / (high - low);

  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const marks = isLog ? ticks(low, high).map((power) => 10 ** power) : ticks(low, high);
  for (const value of marks) {
    const y = placeY(value);
    drawing.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y, y2: y }));
    drawing.append(svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, short(value)));
  }
  for (const value of ticks(0, last)) {
    drawing.append(svg("text", { x: placeX(value), y: HEIGHT - 4, "text-anchor": "middle" }, short(value)));
  }
  const taken = [];
  for (const { name, value } of panel.levels) {
    const y = placeY(value);
    drawing.append(svg("line", { class: "level", x1: LEFT, x2: WIDTH, y1: y, y2: y }));
    const place = taken.some((other) => Math.abs(other - y) < 14) ? y + 12 : y - 3; // below the line, if need be
    taken.push(y);
    drawing.append(svg("text", { x: WIDTH, y: place, "text-anchor": "end" }, name));
  }
  panel.curves.forEach((curve, number) => drawCurve(drawing, panel, curve, number, placeX, placeY));
  figure.append(drawing);
  return figure;
}

function drawCurve(drawing, panel, { name, points }, number, placeX, placeY) {
  const path = (line) => line.map(([x, y], place) => (y === null ? "" : `${place && line[place - 1][1] !== null ? "L" : "M"}${placeX(x).toFixed(1)} ${placeY(y).toFixed(1)}`)).join("");
  const color = `c${number % 4}`;
  const many = points.length >= SMOOTHED_FROM;
  if (panel.noisy && many) drawing.append(svg("path", { class: `raw ${color}`, d: path(points) }));
  const line = panel.noisy && many ? smoothed(points) : points;
  drawing.append(svg("path", { class: color, d: path(line) }));
  if (!many) {
    for (const [x, y] of points) {
      if (y !== null) drawing.append(svg("circle", { class: color, cx: placeX(x), cy: placeY(y), r: 2.5 }));
    }
  }
  if (panel.curves.length > 1) {
    drawing.append(svg("text", { class: `key ${color}`, x: LEFT + 6, y: TOP + 12 + 14 * number }, name));
  }
}

function drawCurves(place, panels) {
  place.replaceChildren(...panels.map(drawPanel));
}
