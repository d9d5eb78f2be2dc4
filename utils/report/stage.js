// Pictures in windows that zoom and move together, and a stage with a divider between two of them.

// The windows that show the same part of pictures of one size.
class View {
  // size: of the pictures, in their pixels. windows: [{ box, pictures }], elements that a picture is placed in.
  constructor(size, windows) {
    this.size = size;
    this.windows = windows;
    this.zoom = 0; // pixels of the screen a pixel; 0: the whole picture
    this.center = [0.5, 0.5]; // the share of the picture that is in the middle
    const observer = new ResizeObserver(() => this.layOut());
    for (const { box } of windows) observer.observe(box);
  }

  // Place the pictures; the first window bounds how far they move.
  layOut() {
    for (const [number, { box, pictures }] of this.windows.entries()) {
      const room = [box.clientWidth, box.clientHeight];
      const shown = this.shownIn(room);
      const corner = shown.map((length, axis) => {
        const spare = room[axis] - length;
        if (spare >= 0) {
          if (number === 0) this.center[axis] = 0.5;
          return Math.round(spare / 2);
        }
        const start = Math.min(0, Math.max(spare, room[axis] / 2 - this.center[axis] * length));
        if (number === 0) this.center[axis] = (room[axis] / 2 - start) / length;
        return Math.round(start);
      });
      box.classList.toggle("zoomed", this.zoom > 0);
      for (const { style } of pictures) {
        Object.assign(style, { left: `${corner[0]}px`, top: `${corner[1]}px`, width: `${shown[0]}px`, height: `${shown[1]}px` });
      }
    }
  }

  shownIn(room) {
    if (this.zoom) return this.size.map((pixels) => pixels * this.zoom / devicePixelRatio);
    const scale = Math.min(room[0] / this.size[0], room[1] / this.size[1]);
    return this.size.map((pixels) => pixels * scale);
  }

  // Move the picture by pixels of the page.
  pan(x, y) {
    const { box } = this.windows[0];
    const shown = this.shownIn([box.clientWidth, box.clientHeight]);
    this.center = [this.center[0] - x / shown[0], this.center[1] - y / shown[1]];
    this.layOut();
  }

  // Zoom so that what is at a place of the first window stays there.
  zoomTo(zoom, place) {
    const { box } = this.windows[0];
    const room = [box.clientWidth, box.clientHeight];
    const away = place ? [place[0] - room[0] / 2, place[1] - room[1] / 2] : [0, 0];
    const before = this.shownIn(room);
    this.zoom = zoom;
    const after = this.shownIn(room);
    this.center = this.center.map((share, axis) => share + away[axis] * (1 / before[axis] - 1 / after[axis]));
    this.layOut();
  }
}

const STEPS = [0, 1, 2, 3, 4, 6, 8];

// A stage: drags move its divider, or the picture where it is zoomed; two fingers, or Ctrl and the wheel, zoom.
class Stage {
  // view: its first window is the stage. onTap: for a click. onZoom: gets (zoom, place) that the user wants.
  constructor(element, view, { onTap = () => {}, onZoom = () => {} }) {
    this.element = element;
    this.view = view;
    this.divider = element.querySelector(".divider");
    this.onTap = onTap;
    this.onZoom = onZoom;
    this.pointers = new Map();
    this.drag = null;
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      element.addEventListener(type, (event) => this[type](event));
    }
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.divider.addEventListener("keydown", (event) => this.key(event));
    this.move(50);
  }

  // Place the divider, in percent from the left.
  move(percent) {
    const cut = Math.min(100, Math.max(0, percent));
    this.element.style.setProperty("--cut", `${cut}%`);
    this.divider.setAttribute("aria-valuenow", Math.round(cut));
  }

  placeOf({ clientX, clientY }) {
    const box = this.element.getBoundingClientRect();
    return [clientX - box.left, clientY - box.top];
  }

  pointerdown(event) {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2) {
      this.pinch = this.spread();
      this.drag = null;
      return;
    }
    const onDivider = event.target === this.divider;
    const pans = !onDivider && this.view.zoom > 0;
    this.drag = { x: event.clientX, y: event.clientY, moved: false, onDivider, pans };
    if (!event.target.closest("a")) this.element.setPointerCapture(event.pointerId);
  }

  pointermove(event) {
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2) return this.pinched();
    const { drag } = this;
    if (!drag) return;
    const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.moved && Math.hypot(x, y) < 4) return;
    if (!drag.moved && !drag.pans && event.pointerType === "touch" && Math.abs(y) > Math.abs(x)) {
      this.drag = null; // a finger that scrolls the page
      return;
    }
    drag.moved = true;
    if (drag.pans) {
      this.view.pan(x, y);
      Object.assign(drag, { x: event.clientX, y: event.clientY });
    } else {
      this.move(100 * this.placeOf(event)[0] / this.element.clientWidth);
    }
  }

  pointerup(event) {
    if (this.drag && !this.drag.moved && !this.drag.onDivider && !event.target.closest("a")) this.onTap(event);
    this.pointercancel(event);
  }

  pointercancel(event) {
    this.pointers.delete(event.pointerId);
    this.drag = null;
  }

  spread() {
    const [one, other] = [...this.pointers.values()];
    return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  }

  pinched() {
    const factor = this.spread() / this.pinch;
    if (factor < 1.4 && factor > 0.7) return;
    this.pinch = this.spread();
    const [one, other] = [...this.pointers.values()].map((pointer) => this.placeOf(pointer));
    this.step(factor > 1 ? 1 : -1, [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2]);
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.turned = (this.turned ?? 0) + event.deltaY;
    if (Math.abs(this.turned) < 20) return;
    this.step(this.turned < 0 ? 1 : -1, this.placeOf(event));
    this.turned = 0;
  }

  // Ask for the next zoom that shows more, or less, than the picture in full.
  step(by, place) {
    const fit = this.element.clientWidth * devicePixelRatio / this.view.size[0];
    const now = this.view.zoom || fit;
    const larger = STEPS.find((zoom) => zoom > now);
    const smaller = STEPS.findLast((zoom) => zoom < now && zoom > fit) ?? 0;
    const next = by > 0 ? larger : smaller;
    if (next !== undefined) this.onZoom(next, place);
  }

  key(event) {
    const now = Number(this.divider.getAttribute("aria-valuenow"));
    const by = event.shiftKey ? 10 : 1;
    const places = { ArrowLeft: now - by, ArrowRight: now + by, Home: 0, End: 100 };
    if (!(event.key in places)) return;
    this.move(places[event.key]);
    event.preventDefault();
    event.stopPropagation();
  }
}
