// The two players of the page that video_page.py writes. The left one leads and may have sound; the other follows.
const page = JSON.parse(document.getElementById("clips").textContent);
const byId = (id) => document.getElementById(id);
const viewer = document.querySelector(".viewer");
const stage = document.querySelector(".stage");
const divider = document.querySelector(".divider");

const SAME = 0.001; // [s] containers round times to milliseconds
const CLOSE = 0.003; // [s] of drift that nobody sees
const FAR = 0.25; // [s] of drift that is corrected by a jump, not by speed
const PULL = 8; // of a drift, this share is made up for in a second
const MOST_PULL = 0.25; // share of the speed

// When each frame begins, then when the last one ends [s].
function frameTimes({ tick, steps }) {
  const times = [0];
  let ticks = 0;
  for (const [length, count] of steps) {
    for (let number = 0; number < count; number++) times.push((ticks += length) * tick[0] / tick[1]);
  }
  return times;
}

for (const clip of page.clips) clip.times = frameTimes(clip);

// The number of the frame that is shown at a time.
function frameAt({ times }, time) {
  let low = 0;
  let high = times.length - 2;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (times[middle] <= time + SAME) low = middle;
    else high = middle - 1;
  }
  return low;
}

class Player {
  constructor(layer) {
    this.layer = layer;
    this.picture = layer.querySelector(".picture");
    this.video = layer.querySelector("video");
    this.wanted = null;
    for (const event of ["loadedmetadata", "seeked"]) this.video.addEventListener(event, () => this.seekOn());
    this.video.addEventListener("error", () => {
      byId("problem").textContent = `This browser cannot play ${this.clip.label}.`;
    });
  }

  show(clip, time) {
    this.layer.querySelector("b").textContent = clip.label;
    if (clip === this.clip) return;
    this.clip = clip;
    // A file may have more than the picture, right and below.
    const [across, down] = clip.padding.map((share) => `${100 * (1 + share)}%`);
    Object.assign(this.video.style, { width: across, height: down });
    this.video.src = clip.file;
    this.seek(time);
  }

  // Go to the frame that is shown at a time: to its middle, which no rounding makes another frame.
  seek(time) {
    const frame = frameAt(this.clip, time);
    this.wanted = (this.clip.times[frame] + this.clip.times[frame + 1]) / 2;
    this.seekOn();
  }

  // One jump at a time: while one is under way, only the latest wish is kept.
  seekOn() {
    if (this.wanted === null || this.video.seeking || this.video.readyState < 1) return;
    this.video.currentTime = this.wanted;
    this.wanted = null;
  }

  get settled() {
    return this.wanted === null && !this.video.seeking;
  }

  get canGoOn() {
    return this.settled && (this.video.readyState >= 3 || this.video.ended);
  }
}

const [right, left] = [...document.querySelectorAll(".layer")].map((layer) => new Player(layer));
const players = [left, right];
let ruler; // of the two clips, the one with more frames: steps and the seek bar go by its frames
let playing = false;
let frame = 0; // of the ruler
let hasSound = false;

function timeCode(seconds) {
  const milliseconds = Math.round(seconds * 1000);
  const pad = (number, digits) => String(number).padStart(digits, "0");
  const rest = `${pad(Math.floor(milliseconds / 60000) % 60, 2)}:${pad(Math.floor(milliseconds / 1000) % 60, 2)}`;
  return `${Math.floor(milliseconds / 3600000)}:${rest}.${pad(milliseconds % 1000, 3)}`;
}

function showFrame(number) {
  frame = number;
  byId("seek").value = number;
  byId("time").textContent = timeCode(page.start + ruler.times[number]);
  byId("frame").textContent = `frame ${number + 1} of ${ruler.times.length - 1}`;
}

function goTo(number) {
  const last = ruler.times.length - 2;
  showFrame(Math.min(last, Math.max(0, number)));
  for (const player of players) player.seek(ruler.times[frame]);
}

function step(count) {
  pause();
  goTo(frame + count);
}

function play() {
  if (frame === ruler.times.length - 2) goTo(0);
  playing = true;
  goOn();
  showState();
}

function pause() {
  if (!playing) return;
  playing = false;
  for (const { video } of players) video.pause();
  goTo(frame); // both on the same frame
  showState();
}

// Neither player runs while the other one has to wait for its data.
function goOn() {
  const ready = players.every((player) => player.canGoOn);
  for (const { video } of players) {
    if (!playing || !ready) video.pause();
    else if (video.paused && !video.ended) video.play().catch(() => {});
  }
}

// Keep the right player at the left one's time: a little faster or slower, or by a jump if it is far away.
function follow() {
  const speed = Number(byId("speed").value);
  left.video.playbackRate = speed;
  if (!right.settled || !left.settled) return;

  const time = left.video.currentTime;
  const drift = Math.min(right.video.currentTime, time + 1) - time;
  const end = right.clip.times.at(-1);
  if (right.video.ended || time >= end) {
    if (time < end - FAR) right.seek(time);
  } else if (Math.abs(drift) > FAR * speed) {
    right.seek(time);
  } else {
    const pull = Math.abs(drift) < CLOSE ? 0 : PULL * drift;
    right.video.playbackRate = speed * (1 - Math.min(MOST_PULL, Math.max(-MOST_PULL, pull)));
  }
}

function onFrame(time) {
  if (!playing) return;
  showFrame(frameAt(ruler, time));
  goOn();
  follow();
}

function watchFrames() {
  const { video } = left;
  if (video.requestVideoFrameCallback) {
    video.requestVideoFrameCallback((now, shown) => {
      onFrame(shown.mediaTime);
      watchFrames();
    });
  } else {
    requestAnimationFrame(() => {
      onFrame(video.currentTime);
      watchFrames();
    });
  }
}

function atEnd() {
  if (!playing) return;
  if (byId("loop").getAttribute("aria-pressed") === "true") {
    goTo(0);
  } else {
    frame = ruler.times.length - 2;
    pause();
  }
}

function showState() {
  byId("play").textContent = playing ? "Pause" : "Play";
  const canSound = left.clip.sound;
  byId("sound").disabled = !canSound;
  byId("sound").setAttribute("aria-pressed", hasSound && canSound);
  byId("sound").textContent = hasSound && canSound ? "Sound on" : "Sound off";
  left.video.muted = !(hasSound && canSound);
}

function choose() {
  const time = ruler ? ruler.times[frame] : 0;
  byId("problem").textContent = "";
  left.show(page.clips[byId("left").value], time);
  right.show(page.clips[byId("right").value], time);
  ruler = left.clip.times.length >= right.clip.times.length ? left.clip : right.clip;
  byId("seek").max = ruler.times.length - 2;
  goTo(frameAt(ruler, time));
  goOn();
  showState();
  layOut();
}

// Sizes: all pictures are as large as the largest one, in pixels of the screen.
const size = page.clips.reduce((most, clip) => (clip.size[0] > most[0] ? clip.size : most), [0, 0]);
viewer.style.setProperty("--aspect", size[0] / size[1]);
const view = new View(size, [{ box: stage, pictures: players.map((player) => player.picture) }]);

function layOut() {
  view.zoom = Number(byId("zoom").value);
  view.layOut();
}

new Stage(stage, view, {
  onTap: () => toggle(),
  onZoom(zoom, place) {
    if (![...byId("zoom").options].some((option) => Number(option.value) === zoom)) return;
    byId("zoom").value = zoom;
    view.zoomTo(zoom, place);
  },
});

const toggle = () => (playing ? pause() : play());
const press = (id, action) => byId(id).addEventListener("click", action);
press("play", toggle);
press("back", () => step(-1));
press("forward", () => step(1));
press("sound", () => {
  hasSound = !hasSound;
  showState();
});
press("loop", () => {
  const loops = byId("loop").getAttribute("aria-pressed") === "true";
  byId("loop").setAttribute("aria-pressed", !loops);
});
press("swap", () => {
  [byId("left").value, byId("right").value] = [byId("right").value, byId("left").value];
  choose();
});
press("full", () => (document.fullscreenElement ? document.exitFullscreen() : viewer.requestFullscreen()));

byId("seek").addEventListener("input", () => goTo(Number(byId("seek").value)));
byId("zoom").addEventListener("change", layOut);
byId("pixels").addEventListener("change", () => stage.classList.toggle("pixelated", byId("pixels").value === "pixelated"));
for (const id of ["left", "right"]) byId(id).addEventListener("change", choose);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select")) return;
  if (event.target.matches("button") && event.key === " ") return;
  const second = ruler.times[frame];
  const actions = {
    " ": toggle,
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    ArrowUp: () => goTo(frameAt(ruler, second + 1)),
    ArrowDown: () => goTo(frameAt(ruler, second - 1)),
    Home: () => goTo(0),
    End: () => goTo(ruler.times.length - 2),
    x: () => byId("swap").click(),
  };
  if (!(event.key in actions)) return;
  actions[event.key]();
  event.preventDefault();
});

for (const { video } of players) {
  for (const event of ["canplay", "waiting", "seeked"]) video.addEventListener(event, goOn);
}
left.video.addEventListener("ended", atEnd);
choose();
watchFrames();
viewer.hidden = false;
layOut();
