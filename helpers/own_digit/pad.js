// What the pad in the notebook and the page share: a canvas that keeps strokes, and how images are shown.
"use strict";

// Adds a sheet to draw on with mouse, pen, finger or arrow keys, and calls `changed` with the image, or null.
mnist.pad = (parent, changed) => {
  const SIDE = 280, WIDTH = 20;
  // What is drawn, and was before each change; or the image that is given. Whose pen is down: a pointer's number, or
  // "keys"; and where it was last.
  let strokes = [], past = [], given = null, owner = null, last = null, cursor = null, waiting = false;
  const canvas = mnist.make("canvas", parent, {
    width: SIDE, height: SIDE, className: "sheet", tabIndex: 0,
    role: "application",  // else a screen reader keeps the keys for itself
    "aria-label": "A sheet to draw a digit on. By keys: the space bar puts the pen down or lifts it, arrows move it, "
      + "E takes the eraser or the pen, Backspace takes a stroke back, Escape clears.",
  });
  const button = (textContent, onclick) => mnist.make("button", parent, {type: "button", textContent, onclick});
  button("Undo", undo);
  const eraser = button("Eraser", () => take(!isErasing()));
  button("Clear", clear);
  take(false);
  canvas.style.touchAction = "none";  // else strokes would scroll a phone's page
  // A theme that changes, the system's or Jupyter's, gives the ink another color.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
  new MutationObserver(update).observe(document.body, {attributeFilter: ["data-jp-theme-light"]});
  const context = canvas.getContext("2d");

  function redraw() {
    waiting = false;
    context.clearRect(0, 0, SIDE, SIDE);
    const style = getComputedStyle(canvas);
    Object.assign(context, {lineWidth: WIDTH, lineCap: "round", lineJoin: "round", imageSmoothingEnabled: false,
                            strokeStyle: style.color});
    if (given) context.drawImage(given.picture, 0, 0, SIDE, SIDE);
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(...stroke[0]);
      for (const point of stroke) context.lineTo(...point);
      context.stroke();
    }
    if (cursor) {  // a ring around the eraser, or the pen that keys move; thick while it is down
      Object.assign(context, {lineWidth: owner !== null ? 6 : 2, strokeStyle: style.getPropertyValue("--bar")});
      context.beginPath();
      context.arc(...cursor, WIDTH, 0, 2 * Math.PI);
      context.stroke();
    }
    changed(given ? given.image : mnist.rasterize(strokes));
  }
  function update() {
    if (!waiting) requestAnimationFrame(redraw);
    waiting = true;
  }
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
  }
  function isErasing() { return eraser.getAttribute("aria-pressed") === "true"; }
  function take(theEraser) {
    eraser.setAttribute("aria-pressed", theEraser);
    if (!theEraser && !canvas.matches(":focus-visible")) cursor = null;
    end();
  }
  function begin(point, by) {
    if (given) clear();
    past.push(strokes);
    if (!isErasing()) strokes = [...strokes, []];
    [owner, last] = [by, point];
    goOn(point);
  }
  function goOn(point) {
    if (isErasing()) strokes = mnist.erase(strokes, last, point, WIDTH);  // as far as its ring
    else strokes[strokes.length - 1].push(point);
    last = point;
    update();
  }
  function end() { owner = null; update(); }
  canvas.addEventListener("pointerdown", (event) => {
    const isBusy = Number.isInteger(owner) && owner !== event.pointerId;
    if (![0, 5].includes(event.button) || (isBusy && event.pointerType !== "pen")) return;  // a second finger
    if (isBusy) undo();  // the palm lay there before the pen
    try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone again */ }
    if (event.button === 5) take(true);  // a pen that is turned round
    cursor = isErasing() ? place(event) : null;
    begin(place(event), event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (isErasing() && [null, event.pointerId].includes(owner)) {
      cursor = place(event);  // its ring goes with the pointer; a pen that is seen needs none
      update();
    }
    if (event.pointerId !== owner) return;
    // A browser joins fast moves into one event: all of its points are asked for.
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of events.length ? events : [event]) goOn(place(each));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (event.pointerId !== owner) return;
    goOn(place(event));  // the last move may not have been told
    if (event.button === 5) take(false);
    end();
  });
  canvas.addEventListener("pointerleave", () => {
    if (owner === null) cursor = null;
    update();
  });
  for (const name of ["pointercancel", "lostpointercapture"])
    canvas.addEventListener(name, (event) => { if (event.pointerId === owner) end(); });
  canvas.addEventListener("focus", () => {
    if (canvas.matches(":focus-visible")) cursor = [SIDE / 2, SIDE / 2];
    update();
  });
  canvas.addEventListener("blur", () => {
    cursor = null;
    owner === "keys" ? end() : update();
  });
  const moves = {ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6]};
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " " || event.key in moves) cursor ||= [SIDE / 2, SIDE / 2];
    if (event.key === " ") owner === "keys" ? end() : begin([...cursor], "keys");
    else if (event.key in moves) {
      cursor = cursor.map((value, i) => Math.min(SIDE, Math.max(0, value + moves[event.key][i])));
      if (owner === "keys") goOn([...cursor]);
    } else if (event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey))) undo();
    else if (event.key === "Escape") clear();
    else if (event.key.toLowerCase() === "e" && !event.ctrlKey && !event.metaKey) take(!isErasing());
    else return;
    event.preventDefault();
    event.stopPropagation();  // Jupyter has keys of its own
    update();
  });
  function undo() { strokes = past.pop() || []; given = null; end(); }
  function clear() {
    if (strokes.length) past.push(strokes);
    [strokes, given] = [[], null];
    take(false);
    end();
  }
  // Shows an image to start from, and a canvas with its picture, until one draws.
  function give(image, picture) { clear(); given = {image, picture}; }
  return {give};
};

// Shows values from 0 to 1 on a canvas, as ink on paper.
mnist.show = (canvas, values, side) => {
  const context = canvas.getContext("2d"), picture = context.createImageData(side, side);
  values.forEach((value, i) => picture.data.set([...new Array(3).fill(255 - 255 * value), 255], 4 * i));
  context.putImageData(picture, 0, 0);
};

// Adds an element to a parent, with these properties and attributes.
mnist.make = (tag, parent, attributes = {}) => {
  const node = parent.appendChild(document.createElement(tag));
  for (const [name, value] of Object.entries(attributes))
    name in node ? node[name] = value : node.setAttribute(name, value);
  return node;
};

// Puts a bar for each digit into `parent`. Returns what shows an image's logits there, and in `answer` what is read.
mnist.bars = (parent, answer) => {
  const bars = Array.from({length: 10}, (_, digit) => {
    mnist.make("span", parent, {textContent: digit});
    return [mnist.make("i", mnist.make("span", parent)), mnist.make("span", parent)];
  });
  return (logits, image) => {
    const scores = image ? mnist.softmax(logits) : new Array(10).fill(0);
    bars.forEach(([bar, text], digit) => {
      bar.style.width = `${100 * scores[digit]}%`;
      text.textContent = image ? mnist.percent(scores[digit]) : "";
    });
    answer.textContent = image ? mnist.say(scores) : "Draw a digit.";
  };
};

mnist.percent = (score) => `${(100 * score).toFixed(1)} %`;

mnist.say = (scores) => {
  const [first, second] = scores.map((score, digit) => [score, digit]).sort((a, b) => b[0] - a[0]);
  const named = ([, digit]) => `${digit === 8 ? "an" : "a"} ${digit}`, sure = ([score]) => mnist.percent(score);
  if (first[0] >= 0.8) return `It is ${named(first)}, ${sure(first)} sure.`;
  return `It may be ${named(first)} (${sure(first)}) or ${named(second)} (${sure(second)}): the network is not sure.`;
};
