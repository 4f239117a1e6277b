// What the pad in the notebook and the page share: a canvas that keeps strokes, and how images are shown.
"use strict";

// Lets one draw on a canvas with mouse, pen, finger or arrow keys, and calls `changed` with the image, or null.
mnist.pad = (canvas, changed) => {
  const SIDE = 280, WIDTH = 20;
  let strokes = [], current = null, cursor = [SIDE / 2, SIDE / 2], waiting = false;
  Object.assign(canvas, {width: SIDE, height: SIDE, className: "sheet", tabIndex: 0});
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "A sheet to draw a digit on. By keys: the space bar puts the pen down or lifts it, "
    + "arrows move it, Backspace takes a stroke back, Escape clears.");
  canvas.style.touchAction = "none";  // else strokes would scroll a phone's page
  const context = canvas.getContext("2d");

  function redraw() {
    waiting = false;
    context.clearRect(0, 0, SIDE, SIDE);
    Object.assign(context, {lineWidth: WIDTH, lineCap: "round", lineJoin: "round",
                            strokeStyle: getComputedStyle(canvas).color});
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(...stroke[0]);
      for (const point of stroke) context.lineTo(...point);
      context.stroke();
    }
    const byKeys = document.activeElement === canvas && canvas.matches(":focus-visible");
    if (byKeys) context.strokeRect(cursor[0], cursor[1], 1, 1);
    changed(mnist.rasterize(strokes));
  }
  function update() {
    if (!waiting) requestAnimationFrame(redraw);
    waiting = true;
  }
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone again */ }
    strokes.push(current = [place(event)]);
    update();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!current) return;
    // A browser joins fast moves into one event: all of its points are asked for.
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of events.length ? events : [event]) current.push(place(each));
    update();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (current) current.push(place(event));  // the last move may not have been told
    current = null;
    update();
  });
  canvas.addEventListener("pointercancel", () => { current = null; });
  const moves = {ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6]};
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") current ? current = null : strokes.push(current = [[...cursor]]);
    else if (event.key in moves) {
      cursor = cursor.map((value, i) => Math.min(SIDE, Math.max(0, value + moves[event.key][i])));
      if (current) current.push([...cursor]);
    } else if (event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey))) undo();
    else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
    event.stopPropagation();  // Jupyter has keys of its own
    update();
  });
  function undo() { strokes.pop(); current = null; update(); }
  function clear() { strokes = []; current = null; update(); }
  return {undo, clear, draw: (given) => { strokes = given; update(); }};
};

// Shows values from 0 to 1 on a canvas, as gray pixels.
mnist.show = (canvas, values, side) => {
  const context = canvas.getContext("2d"), picture = context.createImageData(side, side);
  values.forEach((value, i) => picture.data.set([255 * value, 255 * value, 255 * value, 255], 4 * i));
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
