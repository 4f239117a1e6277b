// What the pad in the notebook and the page share: a canvas that keeps strokes, and how images are shown.
"use strict";

// Adds a sheet to draw on with mouse, pen, finger or arrow keys, and calls `changed` with the image, or null.
mnist.pad = (parent, changed) => {
  const {side: SIDE, pen: WIDTH} = mnist.SHEET, EMPTY = {strokes: [], image: null};
  // What is drawn: strokes, or an image that was given; and was before each change, and before each undo. Whose pen is
  // down: a pointer's number, or "keys"; what was there then; where it was last; and where its ring is.
  let now = EMPTY, owner = null, began = null, last = null, cursor = null, frame = 0;
  const past = [], future = [];
  const canvas = mnist.make("canvas", parent, {
    width: SIDE, height: SIDE, className: "sheet", tabIndex: 0, draggable: false,
    role: "application",  // else a screen reader keeps the keys for itself
    "aria-label": "A sheet to draw a digit on. By keys: the space bar puts the pen down or lifts it, arrows move it, "
      + "E takes the eraser or the pen, Backspace takes a stroke back, Escape clears.",
  });
  const context = canvas.getContext("2d");
  const button = (textContent, onclick) => mnist.make("button", parent, {type: "button", textContent, onclick});
  button("Undo", undo);
  button("Redo", redo);
  const eraser = button("Eraser", () => take(!isErasing()));
  button("Clear", clear);
  take(false);
  const on = (names, work) => names.split(" ").forEach((name) => canvas.addEventListener(name, work));
  // Else strokes would scroll a phone's page, or drag and extend what is selected there.
  Object.assign(canvas.style, {touchAction: "none", userSelect: "none", webkitUserSelect: "none",
                               webkitTouchCallout: "none"});
  on("dragstart selectstart", (event) => event.preventDefault());
  on("contextmenu", (event) => { if (owner !== null) event.preventDefault(); });
  // A theme that changes, the system's or Jupyter's, gives the ink another color.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
  new MutationObserver(update).observe(document.body, {attributeFilter: ["data-jp-theme-light"]});

  function redraw() {
    context.clearRect(0, 0, SIDE, SIDE);
    const style = getComputedStyle(canvas), {color} = style;
    Object.assign(context, {lineWidth: WIDTH, lineCap: "round", lineJoin: "round"});
    context.strokeStyle = context.fillStyle = color;
    (now.image || []).forEach((value, i) => {
      context.globalAlpha = value;
      if (value) context.fillRect(i % 28 * SIDE / 28, Math.floor(i / 28) * SIDE / 28, SIDE / 28, SIDE / 28);
    });
    context.globalAlpha = 1;
    for (const stroke of now.strokes) {
      context.beginPath();
      context.moveTo(stroke[0][0] - 0.01, stroke[0][1]);  // else a browser shows no dot
      for (const point of stroke) context.lineTo(...point);
      context.stroke();
    }
    if (cursor) {  // a ring around the eraser, or the pen that keys move; thick while it is down
      Object.assign(context, {lineWidth: owner !== null ? 6 : 2, strokeStyle: style.getPropertyValue("--bar")});
      context.beginPath();
      context.arc(...cursor, WIDTH, 0, 2 * Math.PI);
      context.stroke();
    }
    changed(now.image || mnist.rasterize(now.strokes, WIDTH), now.strokes);
  }
  function update() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(redraw);
  }
  const inside = (value) => Math.min(SIDE, Math.max(0, value));  // what nobody sees is not drawn
  function place(event) {
    const {left, top, width, height} = canvas.getBoundingClientRect();
    return [inside((event.clientX - left) * SIDE / width), inside((event.clientY - top) * SIDE / height)];
  }
  function isErasing() { return eraser.getAttribute("aria-pressed") === "true"; }
  function take(theEraser) {
    eraser.setAttribute("aria-pressed", theEraser);
    if (!theEraser && !hasKeys()) cursor = null;
    end();
  }
  function hasKeys() {
    try { return canvas.matches(":focus-visible"); } catch { return false; }  // Safari knows it since 2022
  }
  function begin(point, by) {
    end();
    if (!isErasing() && !now.image) [began, now] = [now, {...now, strokes: [...now.strokes, []]}];
    began ||= now;
    [owner, last] = [by, point];
    goOn(point);
  }
  function goOn(point) {
    if (now.image) {
      const image = mnist.edit(now.image, last, point, isErasing());
      if (image !== now.image) now = image.some((value) => value > 0.1) ? {...now, image} : EMPTY;
    } else if (!isErasing()) now.strokes[now.strokes.length - 1].push(point);
    else {
      const strokes = mnist.erase(now.strokes, last, point, WIDTH);  // as far as its ring
      if (strokes.some((stroke, i) => stroke !== now.strokes[i]) || !strokes.length) now = {...now, strokes};
    }
    last = point;
    update();
  }
  function end() {
    if (began && began !== now) keep(began);
    began = owner = null;
    update();
  }
  function keep(before) {
    past.push(before);
    future.length = 0;
  }
  on("pointerdown", (event) => {
    const isBusy = Number.isInteger(owner) && owner !== event.pointerId;
    if (![0, 5].includes(event.button) || (isBusy && event.pointerType !== "pen")) return;  // a second finger
    if (isBusy) undo();  // the palm lay there before the pen
    getSelection().removeAllRanges();  // else the browser drags what is selected
    try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone again */ }
    if (event.button === 5) take(true);  // a pen that is turned round
    cursor = isErasing() ? place(event) : null;
    begin(place(event), event.pointerId);
  });
  on("pointermove", (event) => {
    if (isErasing() && [null, event.pointerId].includes(owner)) {
      cursor = place(event);  // its ring goes with the pointer; a pen that is seen needs none
      update();
    }
    if (event.pointerId !== owner) return;
    // A browser joins fast moves into one event: all of its points are asked for.
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of events.length ? events : [event]) goOn(place(each));
  });
  on("pointerup", (event) => {
    if (event.pointerId !== owner) return;
    goOn(place(event));  // the last move may not have been told
    if (event.button === 5) take(false);
    end();
  });
  on("pointerleave", () => {
    if (owner === null) cursor = null;
    update();
  });
  on("pointercancel lostpointercapture", (event) => { if (event.pointerId === owner) end(); });
  on("focus", () => {
    if (hasKeys()) cursor = [SIDE / 2, SIDE / 2];
    update();
  });
  on("blur", () => {
    cursor = null;
    owner === "keys" ? end() : update();
  });
  const moves = {ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6]};
  on("keydown", (event) => {
    const {key} = event, move = moves[key], letter = key.toLowerCase(), isCommand = event.ctrlKey || event.metaKey;
    if (key === " " || move) cursor ||= [SIDE / 2, SIDE / 2];
    if (key === " ") owner === "keys" ? end() : begin([...cursor], "keys");
    else if (move) {
      cursor = cursor.map((value, i) => inside(value + move[i]));
      if (owner === "keys") goOn([...cursor]);
    } else if (isCommand && (letter === "y" || (letter === "z" && event.shiftKey))) redo();
    else if (key === "Backspace" || (isCommand && letter === "z")) undo();
    else if (key === "Escape") clear();
    else if (letter === "e" && !isCommand) take(!isErasing());
    else return;
    event.preventDefault();
    event.stopPropagation();
    update();
  });
  parent.addEventListener("keydown", (event) => {  // Jupyter has keys of its own: there, two d delete a cell
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  function undo() { travel(past, future); }
  function redo() { travel(future, past); }
  function travel(from, to) {
    end();
    if (from.length) to.push(now);
    now = from.pop() || now;
  }
  function clear() {
    give(null);
    take(false);
  }
  // Shows an image or strokes to start from, or an empty sheet.
  function give(image, strokes = []) {
    end();
    if (image || strokes.length || now.image || now.strokes.length) keep(now);
    now = {strokes, image};
  }
  return {give, drawing: () => now};
};

// Shows the pixels of an image, from 0 to 1, as ink on paper.
mnist.show = (canvas, pixels) => {
  Object.assign(canvas, {width: 28, height: 28});
  const context = canvas.getContext("2d"), picture = context.createImageData(28, 28);
  pixels.forEach((value, i) => picture.data.set([...new Array(3).fill(255 - 255 * value), 255], 4 * i));
  context.putImageData(picture, 0, 0);
};

// Adds an element to a parent, with these properties and attributes.
mnist.make = (tag, parent, attributes = {}) => {
  const node = parent.appendChild(document.createElement(tag));
  for (const [name, value] of Object.entries(attributes))
    name in node ? node[name] = value : node.setAttribute(name, value);
  return node;
};

// Puts a bar for each digit into `parent`, and asks `why`, if it is there, for a digit that is clicked. Returns what
// shows an image's logits there, and in `answer` what is read: at once, and with its doubts when the drawing rests,
// which `rested` is told. These need the network, and the strokes, if there are any.
mnist.bars = (parent, answer, why, rested = () => {}) => {
  const bars = Array.from({length: 10}, (_, digit) => {
    const asked = {type: "button", "aria-label": `Why ${digit}?`, "aria-pressed": false, onclick: () => why(digit)};
    mnist.make(why ? "button" : "span", parent, {textContent: digit, ...(why ? asked : {})});
    const bar = mnist.make("i", mnist.make("span", parent));
    bar.style.forcedColorAdjust = "none";  // else high contrast takes its color
    return [bar, mnist.make("span", parent)];
  });
  // A screen reader is told when the drawing rests, not at each move.
  const told = mnist.make("span", parent, {role: "status"});
  Object.assign(told.style, {position: "absolute", width: "1px", height: "1px", clipPath: "inset(50%)"});
  answer.setAttribute("aria-live", "off");
  let stop = () => {};
  return (logits, image, network, strokes) => {
    const isSpeck = image && image.reduce((sum, value) => sum + value, 0) < 10;
    const scores = image && !isSpeck ? mnist.softmax(logits) : null;
    bars.forEach(([bar, text], digit) => {
      bar.style.width = `${scores ? 100 * scores[digit] : 0}%`;
      text.textContent = scores ? mnist.percent(scores[digit]) : "";
    });
    answer.textContent = scores ? mnist.say(scores) : `${isSpeck ? "That is only a speck. " : ""}Draw a digit.`;
    stop();
    stop = mnist.later(scores && network, image, strokes, (notes, mean) => {
      if (mean) answer.textContent = [mnist.say(scores, mean), ...notes].join(" ");
      told.textContent = answer.textContent;
      rested();
    });
  };
};

mnist.percent = (score) => `${(100 * score).toFixed(1)} %`;

// What is read in plain words: of the image, or of views of it if these leave more doubt.
mnist.say = (scores, mean) => {
  const ranked = (values) => Array.from(values, (score, digit) => [score, digit]).sort((a, b) => b[0] - a[0]);
  const named = ([, digit]) => `${digit === 8 ? "an" : "a"} ${digit}`, sure = ([score]) => mnist.percent(score);
  const doubt = ([first, second]) =>
    `may be ${named(first)} (${sure(first)}) or ${named(second)} (${sure(second)}): the network is not sure.`;
  const own = ranked(scores), others = ranked(mean || scores), isSure = ([first]) => first[0] >= mnist.rules.sure;
  if (!isSure(own)) return `It ${doubt(own)}`;
  if (!isSure(others) || own[0][1] !== others[0][1]) return `Turned or moved a little, it ${doubt(others)}`;
  return `It is ${named(own[0])}, ${sure(own[0])} sure.`;
};
