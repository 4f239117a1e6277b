// The page: a sheet, networks to choose, and the maps of their layers, grouped by convolution.
"use strict";
(() => {
  const at = (id) => document.getElementById(id), {make} = mnist, SHEET = mnist.SHEET.side;
  const KINDS = {conv: "convolution", norm: "batch norm", relu: "ReLU", silu: "SiLU", max_pool: "max pooling",
                 avg_pool: "average pooling", linear: "fully connected", flatten: "logits"};
  const TURNS = ["as learned", "turned by 90°", "turned by 180°", "turned by 270°"];
  const HINT = "Point at a value to see how it came about; click to keep it, arrow keys move it. Click a digit beside "
    + "its bar to see why it got its probability.";
  const GAP = 1, BLANK = new Float32Array(784), networks = new Map();
  const box = at("panel"), panel = mnist.panel(box, () => pick(null, false));
  const PALETTE = Array.from({length: 511}, (_, i) =>
    new Uint32Array(Uint8Array.of(...panel.color((i - 255) / 255), 255).buffer)[0]);
  // The network, its groups of layers and what it makes of the image; what is chosen: {place, at} or {digit}, and kept.
  let network = null, groups = [], stacks = [], image = null, strokes = [], maps = [];
  let chosen = null, isKept = false, compared = null, playing = 0;

  function nameOf({type, kernel}) {
    return (KINDS[type] || type.replace(/_/g, " ")) + (kernel ? ` ${kernel.join("x")}` : "");
  }

  // Layers that belong together: a convolution, or several in a row, with what follows until the next one.
  function grouped() {
    const found = [], {layers} = network, isConv = (i) => layers[i].type === "conv";
    const isMean = (i) => mnist.isMean(network, maps, i);
    layers.forEach(({type, inputs}, i) => {
      const last = found[found.length - 1], isSum = isConv(i) || type === "linear";
      const starts = isSum ? !last || !isConv(last[last.length - 1]) : !last || isMean(i) || inputs.length > 1;
      starts ? found.push([i]) : last.push(i);
    });
    let convolutions = 0;
    return found.map((places) => {
      const [first] = places, kernels = places.filter(isConv).map((i) => layers[i].kernel.join("x")).join("+");
      const name = isMean(first) ? "mean of each map"
        : isConv(first) ? `convolution ${++convolutions}, ${kernels}` : nameOf(layers[first]);
      return {places, title: name[0].toUpperCase() + name.slice(1)};
    });
  }

  function sizeOf(place) {
    const {channels, height, width} = maps[place], field = Math.min(28, network.layers[place].field || 0);
    const sees = field ? ` · sees ${field}x${field}` : "";
    return height * width > 1 ? `${channels} maps of ${height}x${width}${sees}` : `${channels} values`;
  }

  function add(name, added) {
    if (!networks.has(name)) make("option", at("network"), {value: name, textContent: name});
    networks.set(name, added);
    compared = null;
  }

  function choose(name) {
    network = networks.get(name);
    at("network").value = name;
    maps = mnist.forward(network, image || BLANK);
    [groups, stacks] = [grouped(), []];
    at("layers").replaceChildren();
    groups.forEach(rowOf);
    const {accuracy, average, runs, parameters, layers} = network;
    const size = `${parameters.toLocaleString("en")} parameters`;
    at("about").textContent = accuracy ? `${size}. ${average} % of the test images on average over ${runs} ${
      runs > 1 ? "runs" : "run"}; this run ${accuracy} %.` : `${size}, ${layers.length} layers, from your file.`;
    showDigits(name);
    pick(null, false);
    refresh();
  }

  // A row for a group of layers: its last maps, and the others on demand.
  function rowOf({places, title}) {
    const row = make("section", at("layers"), {className: "step", "aria-label": title});
    const label = make("div", row, {className: "label"}), last = places[places.length - 1], count = places.length - 1;
    make("h2", label, {textContent: title});
    make("span", label, {textContent: sizeOf(last), className: "quiet"});
    stackOf(row, last, row);
    if (!count) return;
    const more = make("details", row, {ontoggle: paintAll}), text = `The ${count} before it`;
    make("summary", more, {textContent: count, title: text, "aria-label": text});
    for (const place of places.slice(0, -1)) {
      const line = make("div", more);
      make("span", line, {textContent: `${nameOf(network.layers[place])}, ${sizeOf(place)}`, className: "quiet"});
      stackOf(line, place, row);
    }
  }

  // A canvas with all maps of a layer, as large as they may be in a row of 48 pixels.
  function stackOf(parent, place, row) {
    const {channels, height, width} = maps[place], room = innerWidth >= 1000 ? innerWidth - 560 : innerWidth - 40;
    const sideWith = (lines) =>
      Math.min(52 / lines, 48 * width / height, Math.min(room, 1100) / Math.ceil(channels / lines));
    const lines = [1, 2, 3, 4].reduce((best, next) => sideWith(next) > sideWith(best) ? next : best);
    const columns = Math.ceil(channels / lines), holder = make("div", parent, {className: "stack"});
    const canvas = make("canvas", holder, {
      width: columns * (width + GAP) - GAP, height: lines * (height + GAP) - GAP, tabIndex: 0, role: "application",
      "aria-label": `${nameOf(network.layers[place])}: ${sizeOf(place)}. Arrows choose a value, Escape leaves it.`});
    canvas.style.width = `${Math.round(columns * sideWith(lines))}px`;
    const stack = {place, canvas, columns, row, mark: make("div", holder, {className: "mark", hidden: true})};
    stacks[place] = stack;
    canvas.onpointermove = (event) => { if (!isKept && event.pointerType === "mouse") point(event, stack, false); };
    canvas.onclick = (event) => point(event, stack, true);
    canvas.onpointerleave = () => { if (!isKept) pick(null, false); };
    canvas.onkeydown = (event) => press(event, stack);
  }

  // The pixel of a canvas, [across, down], that shows a value.
  function pixelOf({place, columns}, [map, y, x]) {
    const {height, width} = maps[place];
    return [map % columns * (width + GAP) + x, Math.floor(map / columns) * (height + GAP) + y];
  }

  // The value that a pixel shows; null if it is in a gap or beyond all maps.
  function valueAt({place, columns}, across, down) {
    const {channels, height, width} = maps[place], [high, wide] = [height + GAP, width + GAP];
    const [row, column] = [Math.floor(down / high), Math.floor(across / wide)], map = row * columns + column;
    const [y, x] = [down - row * high, across - column * wide];
    const isInside = row >= 0 && column >= 0 && column < columns && map < channels && y < height && x < width;
    return isInside ? [map, y, x] : null;
  }

  function point(event, stack, keeps) {
    const {canvas, place} = stack, scale = canvas.width / canvas.clientWidth;
    const value = valueAt(stack, Math.floor(event.offsetX * scale), Math.floor(event.offsetY * scale));
    if (value) pick({place, at: value}, keeps);
  }

  // Arrow keys go from value to value, and over a gap to the next map.
  function press(event, stack) {
    if (event.key === "Escape") pick(null, false);
    const move = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (!move) return;
    event.preventDefault();
    const {place} = stack;
    if (!chosen || chosen.place !== place) return pick({place, at: [0, 0, 0]}, true);
    const [across, down] = pixelOf(stack, chosen.at), [dx, dy] = move;
    const next = valueAt(stack, across + dx, down + dy) || valueAt(stack, across + 2 * dx, down + 2 * dy);
    if (next) pick({place, at: next}, true);
  }

  function pick(choice, keeps) {
    clearInterval(playing);
    [chosen, isKept, playing] = [choice, keeps, 0];
    explain();
  }

  // Plays the kernel over the map, a step each fifth of a second, or stops it.
  function play() {
    const starts = !playing;
    pick(chosen, true);
    if (!starts) return;
    playing = setInterval(() => {
      const {place, at: [map, y, x]} = chosen, {height, width} = maps[place];
      chosen = {place, at: [map, ...mnist.unravel((y * width + x + 1) % (height * width), width)]};
      explain();
    }, 200);
    explain();
  }

  // What changes at once; the networks side by side and the reasons for a digit wait until the drawing rests.
  function refresh() {
    maps = mnist.forward(network, image || BLANK);
    mnist.show(at("seen"), image || BLANK);
    tell(maps[maps.length - 1].data, image, network, strokes);
    paintAll();
    if (chosen && "place" in chosen) explain();
  }

  function paintAll() {
    for (const {canvas, columns, place} of stacks)
      if (!canvas.closest("details:not([open])")) paint(canvas, columns, maps[place]);
  }

  function paint(canvas, columns, {data, channels, height, width}) {
    const context = canvas.getContext("2d"), picture = context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(picture.data.buffer);
    const top = data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    for (let c = 0, n = 0; c < channels; c++) for (let y = 0; y < height; y++) {
      let to = (Math.floor(c / columns) * (height + GAP) + y) * canvas.width + c % columns * (width + GAP);
      for (let x = 0; x < width; x++) pixels[to++] = PALETTE[255 + Math.round(255 * data[n++] / top)];
    }
    context.putImageData(picture, 0, 0);
  }

  // The panel, for what is chosen: its frame in the maps and in the image, or the evidence laid over the image.
  function explain() {
    at("patch").hidden = at("overlay").hidden = true;
    for (const {mark} of stacks) mark.hidden = true;
    whys.forEach((button, digit) => button.setAttribute("aria-pressed", chosen?.digit === digit));
    if (!chosen) compare();
    else if ("digit" in chosen) explainDigit(chosen.digit);
    else explainValue(chosen.place, chosen.at);
    // On a narrow window the panel comes right below what is chosen, and covers nothing.
    const isWide = matchMedia("(min-width: 1000px) and (min-height: 640px)").matches;
    const home = (!isWide && stacks[chosen?.place]?.row) || at("right");
    if (box.parentNode !== home) home.append(box);
  }

  function explainValue(place, value) {
    const [map, y, x] = value, {height, width} = maps[place], {field, start, jump} = network.layers[place];
    const {places, title} = groups.find((group) => group.places.includes(place)), isMap = height * width > 1;
    const steps = mnist.trail(network, maps, place, value, places), count = steps[0].layer.orientations;
    const mirrored = map % count > 3 ? "mirrored and " : "";
    panel.value(
      `${title}, ${isMap ? `map ${map + 1}, row ${y + 1}, column ${x + 1}` : `value ${map + 1}`}`,
      steps.map((step) => ({...step, name: nameOf(step.layer)})),
      count ? `Filter ${Math.floor(map / count) + 1}, ${mirrored}${TURNS[map % 4]}.` : "",
      ...(isMap ? [[playing ? "Stop" : "Step through the map", play]] : []));
    const {mark, canvas} = stacks[place], [across, down] = pixelOf(stacks[place], value);
    frame(mark, across, down, 1, canvas.width, canvas.height);
    if (field) frame(at("patch"), start + x * jump, start + y * jump, field, 28, 28);
  }

  // Frames a square of a picture.
  function frame(node, left, top, side, width, height) {
    node.hidden = false;
    Object.assign(node.style, {left: `${100 * left / width}%`, width: `${100 * side / width}%`,
                               top: `${100 * top / height}%`, height: `${100 * side / height}%`});
  }

  function explainDigit(digit) {
    const found = mnist.evidence(network, maps, digit), overlay = at("overlay");
    if (found) {  // the votes, stretched over the image as in Zhou et al.
      const {votes, height, width} = found;
      Object.assign(overlay, {hidden: false, width, height});
      paint(overlay, 1, {data: votes, channels: 1, height, width});
    }
    const isFew = strokes.length > 1 && strokes.length < 7, {pen} = mnist.SHEET;
    const without = (isFew ? strokes : []).map((stroke, i) => `Without stroke ${i + 1}: ${
      answerOf(network, mnist.rasterize(strokes.filter((other) => other !== stroke), pen))}`);
    panel.digit(digit, maps[maps.length - 1].data, found, without);
  }

  function answerOf(one, pixels) {
    const scores = mnist.softmax(mnist.forward(one, pixels).pop().data), best = scores.indexOf(Math.max(...scores));
    return `${best}, ${mnist.percent(scores[best])}`;
  }

  function compare() {
    compared ||= Array.from(networks, ([name, one]) => [name, one.parameters.toLocaleString("en"),
      one.average ? `${one.average} %` : "", image ? answerOf(one, image) : ""]);
    panel.compare(compared, HINT);
  }

  function showDigits(name) {
    at("digits").replaceChildren();
    for (const {image, label, index, misread} of DATA.digits) if (!misread || misread === name) {
      const title = `Test digit ${index}, a ${label}${misread ? ", misread by this network" : ""}`;
      const pixels = mnist.bytes(image), className = misread ? "misread" : "";
      const button = make("button", at("digits"), {type: "button", title, "aria-label": title, className});
      mnist.show(make("canvas", button), pixels);
      button.onclick = () => pad.give(pixels);
    }
  }

  // A network that `helpers` wrote. A file that is anything else gets a sentence, and changes nothing.
  async function open(file) {
    let why = "it is not JSON";
    try {
      const found = JSON.parse(await file.text());
      why = "it holds no layers of a network";
      const unknown = found.layers.find(({type}) => !(type in mnist.LAYERS));
      why = unknown ? `this page does not know the layer ${unknown.type}`
        : "its layers do not give ten logits for an image";
      const loaded = mnist.load(found), logits = mnist.forward(loaded, BLANK).pop().data;
      if (logits.length !== 10 || !logits.every(Number.isFinite)) throw new Error(why);
      let name = String(found.name || file.name.replace(/\.json$/, ""));
      if (name in DATA.networks) name += ", yours";
      add(name, {...loaded, accuracy: null, average: null, parameters: Number(found.parameters) || 0});
      choose(name);
    } catch {
      at("about").textContent = `${file.name} cannot be opened: ${why}. `
        + 'python -m helpers.own_digit.network_data "net.py:Net()" weights.pt net.json writes such a file.';
    }
  }

  const save = (canvas, download) =>
    Object.assign(document.createElement("a"), {href: canvas.toDataURL(), download}).click();

  // Black on white, whatever the theme.
  function picture() {
    const canvas = Object.assign(document.createElement("canvas"), {width: SHEET, height: SHEET});
    const context = canvas.getContext("2d");
    context.drawImage(document.querySelector(".sheet"), 0, 0);
    for (const [globalCompositeOperation, fillStyle] of [["source-in", "#000"], ["destination-over", "#fff"]]) {
      Object.assign(context, {globalCompositeOperation, fillStyle});
      context.fillRect(0, 0, SHEET, SHEET);
    }
    return canvas;
  }

  // The drawing as the fragment of a link, in hexadecimal bytes: the pixels of an image, or the points of strokes.
  function link() {
    const coded = (values) => Array.from(values, (x) => Math.round(255 * x).toString(16).padStart(2, "0")).join("");
    const {image, strokes} = pad.drawing();
    return image ? `#image=${coded(image)}`
      : `#strokes=${strokes.map((stroke) => coded(stroke.flat().map((value) => value / SHEET))).join("-")}`;
  }

  function follow() {
    const [, kind, text] = /^#(image|strokes)=([0-9a-f]{4}(?:-?[0-9a-f]{4})*)$/.exec(location.hash) || [];
    if (!kind) return;
    const parts = text.split("-").map((part) => part.match(/../g).map((pair) => parseInt(pair, 16) / 255));
    if (kind === "strokes") pad.give(null, parts.map((part) =>
      part.flatMap((x, i) => i % 2 ? [] : [[SHEET * x, SHEET * part[i + 1]]])));
    else if (parts[0].length === 784) pad.give(Float32Array.from(parts[0]));
  }

  async function copyLink() {
    history.replaceState(null, "", link());
    let told = "Link copied";
    try { await navigator.clipboard.writeText(location.href); } catch { told = "It is in the address bar"; }
    at("link").textContent = told;
    setTimeout(() => { at("link").textContent = "Link"; }, 2000);
  }

  const tell = mnist.bars(at("scores"), at("answer"),
    (digit) => isKept && chosen.digit === digit ? pick(null, false) : pick({digit}, true),
    () => { if (!chosen || "digit" in chosen) explain(); });
  const whys = [...at("scores").querySelectorAll("button")];
  const pad = mnist.pad(at("pad"), (...drawn) => {
    [image, strokes, compared] = [...drawn, null];
    refresh();
  });
  at("network").onchange = () => choose(at("network").value);
  at("open").onclick = () => at("file").click();
  const openAll = ({files}) => { for (const file of files) open(file); };
  at("file").onchange = () => { openAll(at("file")); at("file").value = ""; };
  document.ondragover = (event) => event.preventDefault();
  document.ondrop = (event) => { event.preventDefault(); openAll(event.dataTransfer); };
  at("save-seen").onclick = () => save(at("seen"), "digit-28x28.png");
  at("save").onclick = () => save(picture(), "digit.png");
  at("link").onclick = copyLink;
  addEventListener("hashchange", follow);
  // On GitHub Pages, OWNER.github.io/NAME/..., the repository's address is known.
  const [, owner, name] = /^https:\/\/([^/]+)\.github\.io\/([^/]+)\//.exec(location.href) || [];
  if (name) at("home").href = `https://github.com/${owner}/${name}`;

  for (const [name, one] of Object.entries(DATA.networks)) add(name, mnist.load(one));
  choose(at("network").value);
  follow();
})();
