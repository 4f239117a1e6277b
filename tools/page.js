// The page: a sheet, networks to choose, and the maps of their layers, grouped by convolution.
"use strict";
(() => {
  const at = (id) => document.getElementById(id), {make} = mnist, SHEET = mnist.SHEET.side;
  const KINDS = {conv: "convolution", norm: "batch norm", relu: "ReLU", silu: "SiLU", max_pool: "max pooling",
                 avg_pool: "average pooling", linear: "fully connected", flatten: "logits"};
  const TURNS = ["as learned", "turned by 90\u00b0", "turned by 180\u00b0", "turned by 270\u00b0"];
  const HINT = "Point at a value to see how it came about; click to keep it, arrow keys move it. Click a digit beside "
    + "its bar to see why it got its probability.";
  const GAP = 1, REST = 250, BLANK = new Float32Array(784), panel = mnist.panel(at("panel"));
  const PALETTE = Array.from({length: 511}, (_, i) => panel.color((i - 255) / 255));
  const networks = Object.fromEntries(
    Object.entries(DATA.networks).map(([name, network]) => [name, mnist.load(network)]));
  const digits = DATA.digits.map((digit) => ({...digit, image: mnist.bytes(digit.image)}));
  // The network and what it makes of the image; its groups of layers; what is chosen: {place, at} or {digit}, and kept.
  let network = null, image = null, strokes = [], maps = [], given = null, groups = [], stacks = [];
  let chosen = null, isKept = false, playing = null, resting = null, compared = null;

  const nameOf = (layer) => (KINDS[layer.type] || layer.type.replace(/_/g, " ")) + (layer.kernel ? ` ${layer.kernel.join("x")}` : "");
  const isMean = (i) => mnist.isMean(network, maps, i);

  // Layers that belong together: a convolution, or several in a row, with what follows until the next one.
  function grouped() {
    const found = [];
    network.layers.forEach((layer, i) => {
      const last = found[found.length - 1], isSum = layer.type === "conv" || layer.type === "linear";
      const starts = isSum ? !last || network.layers[last[last.length - 1]].type !== "conv" : isMean(i) || layer.inputs.length > 1;
      starts || !last ? found.push([i]) : last.push(i);
    });
    return found;
  }

  function choose(name) {
    stop();
    [network, chosen, isKept] = [networks[name], null, false];
    read();
    groups = grouped();
    stacks = [];
    at("layers").replaceChildren();
    groups.forEach(rowOf);
    const {accuracy, average, runs, parameters, layers} = network, size = `${parameters.toLocaleString("en")} parameters`;
    at("about").textContent = accuracy ? `${size}. ${average} % of the test images on average over ${runs} ${
      runs > 1 ? "runs" : "run"}; this run ${accuracy} %.` : `${size}, ${layers.length} layers, from your file.`;
    showDigits(name);
    refresh();
    explain();
  }

  // A row for a group of layers: its last maps, and the others on demand.
  function rowOf(places) {
    const row = make("section", at("layers"), {className: "step", "aria-label": titleOf(places)});
    const label = make("div", row, {className: "label"}), last = places[places.length - 1];
    const head = make("h2", label, {textContent: titleOf(places)});
    make("span", label, {textContent: sizeOf(last), className: "quiet"});
    stackOf(row, last, row);
    if (places.length < 2) return;
    const more = make("div", row, {className: "more", hidden: true}), count = places.length - 1;
    const button = make("button", head, {type: "button", textContent: `+ ${count}`, "aria-expanded": false,
                                         "aria-label": `The ${count} before it`, title: `The ${count} before it`});
    button.onclick = () => {
      more.hidden = !more.hidden;
      button.setAttribute("aria-expanded", !more.hidden);
      button.textContent = `${more.hidden ? "+" : "\u2212"} ${count}`;
      if (!more.childElementCount) for (const place of places.slice(0, -1)) {
        const line = make("div", more);
        make("span", line, {textContent: `${nameOf(network.layers[place])}, ${sizeOf(place)}`, className: "quiet"});
        stackOf(line, place, row);
      }
      paintAll();
    };
  }

  function titleOf(places) {
    const {layers} = network, first = layers[places[0]];
    if (isMean(places[0])) return "Mean of each map";
    const before = places[0] ? groups.slice(0, groups.indexOf(places)).filter(([i]) => layers[i].type === "conv").length : 0;
    const kernels = places.map((i) => layers[i]).filter(({type}) => type === "conv").map(({kernel}) => kernel.join("x"));
    if (first.type === "conv") return `Convolution ${before + 1}, ${kernels.join("+")}`;
    return nameOf(first)[0].toUpperCase() + nameOf(first).slice(1);
  }

  function sizeOf(place) {
    const {channels, height, width} = maps[place], {field} = network.layers[place];
    const sees = field ? ` \u00b7 sees ${Math.min(28, field)}x${Math.min(28, field)}` : "";
    return height * width > 1 ? `${channels} maps of ${height}x${width}${sees}` : `${channels} values`;
  }

  // A canvas with all maps of a layer, as large as they may be in a row of 48 pixels.
  function stackOf(parent, place, row) {
    const {channels, height, width} = maps[place], room = Math.min(innerWidth >= 1000 ? innerWidth - 548 : innerWidth - 40, 1100);
    const tiles = [1, 2, 3, 4].map((lines) => Math.min(52 / lines, 48 * width / height, room / Math.ceil(channels / lines)));
    const tile = Math.max(...tiles), lines = tiles.indexOf(tile) + 1, columns = Math.ceil(channels / lines);
    const box = make("div", parent, {className: "stack"});
    const canvas = make("canvas", box, {
      width: columns * (width + GAP) - GAP, height: lines * (height + GAP) - GAP, tabIndex: 0, role: "application",
      "aria-label": `${nameOf(network.layers[place])}: ${sizeOf(place)}. Arrow keys choose a value, Escape leaves it.`});
    canvas.style.width = `${Math.round(columns * tile)}px`;
    const context = canvas.getContext("2d"), mark = make("div", box, {className: "mark", hidden: true});
    const stack = {place, canvas, context, columns, mark, row, picture: context.createImageData(canvas.width, canvas.height)};
    stacks.push(stack);
    canvas.addEventListener("pointermove", (event) => { if (!isKept && event.pointerType === "mouse") point(event, stack); });
    canvas.addEventListener("click", (event) => { stop(); isKept = true; point(event, stack); });
    canvas.addEventListener("pointerleave", () => { if (!isKept) unchoose(); });
    canvas.addEventListener("keydown", (event) => press(event, stack));
  }

  function point(event, stack) {
    const {canvas, columns, place} = stack, {channels, height, width} = maps[place], box = canvas.getBoundingClientRect();
    const across = Math.floor((event.clientX - box.left) * canvas.width / box.width);
    const down = Math.floor((event.clientY - box.top) * canvas.height / box.height);
    const map = Math.floor(down / (height + GAP)) * columns + Math.floor(across / (width + GAP));
    const [x, y] = [across % (width + GAP), down % (height + GAP)];
    if (map < channels && x < width && y < height) pick({place, at: [map, y, x]});
  }

  // Arrow keys go from value to value, and over the edge of a map to the next one.
  function press(event, {place, columns}) {
    const moves = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
    if (event.key === "Escape") unchoose();
    if (!(event.key in moves)) return;
    event.preventDefault();
    stop();
    const {channels, height, width} = maps[place];
    let next = [0, 0, 0];
    if (chosen && chosen.place === place) {
      const [map, y, x] = chosen.at, [down, across] = moves[event.key];
      const row = Math.floor(map / columns) * height + y + down, column = map % columns * width + x + across;
      next = [Math.floor(row / height) * columns + Math.floor(column / width), (row + height) % height, (column + width) % width];
      if (row < 0 || column < 0 || column >= columns * width || next[0] >= channels) return;
    }
    isKept = true;
    pick({place, at: next});
  }

  function pick(choice) {
    chosen = choice;
    explain();
  }

  function unchoose() {
    stop();
    [chosen, isKept] = [null, false];
    explain();
  }

  // Plays the kernel over the map, a step each fifth of a second.
  function play() {
    if (playing) return stop();
    isKept = true;
    playing = setInterval(() => {
      const [map, y, x] = chosen.at, {height, width} = maps[chosen.place], next = (y * width + x + 1) % (height * width);
      pick({place: chosen.place, at: [map, Math.floor(next / width), next % width]});
    }, 200);
    explain();
  }

  function stop() {
    clearInterval(playing);
    playing = null;
  }

  function show(drawn, lines) {
    [image, strokes, compared] = [drawn, lines || [], null];
    read();
    refresh();
  }

  // What changes at once; the networks side by side and the reasons for a digit wait until the drawing rests.
  function refresh() {
    mnist.show(at("seen"), image || BLANK, 28);
    tell(maps[maps.length - 1].data, image, network, strokes);
    paintAll();
    if (chosen && "place" in chosen) explain();
    clearTimeout(resting);
    resting = setTimeout(() => { if (!chosen || "digit" in chosen) explain(); }, REST);
  }

  function read() {
    const pixels = image || BLANK;
    maps = mnist.forward(network, pixels);
    given = {data: pixels.map((value) => (value - network.mean) / network.std), channels: 1, height: 28, width: 28};
  }

  function paintAll() {
    for (const stack of stacks) if (stack.canvas.offsetParent) paint(stack, maps[stack.place]);
  }

  function paint({context, columns, picture}, {data, channels, height, width}) {
    let top = 1e-6;
    for (const value of data) top = Math.max(top, Math.abs(value));
    for (let c = 0, n = 0; c < channels; c++) {
      const left = (c % columns) * (width + GAP), above = Math.floor(c / columns) * (height + GAP);
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++, n++) {
        const [red, green, blue] = PALETTE[255 + Math.round(255 * data[n] / top)], pixels = picture.data;
        let to = 4 * ((above + y) * picture.width + left + x);
        pixels[to++] = red; pixels[to++] = green; pixels[to++] = blue; pixels[to] = 255;
      }
    }
    context.putImageData(picture, 0, 0);
  }

  // The panel, for what is chosen: its frame in the maps and in the image, or the evidence laid over the image.
  function explain() {
    const patch = at("patch"), overlay = at("overlay"), scale = 112 / 28;
    patch.hidden = overlay.hidden = true;
    for (const {mark} of stacks) mark.hidden = true;
    for (const button of whys) button.setAttribute("aria-pressed", Boolean(chosen) && chosen.digit === whys.indexOf(button));
    const close = ["Close", unchoose];
    if (!chosen) compare();
    else if ("digit" in chosen) {
      const logits = maps[maps.length - 1].data, found = mnist.evidence(network, maps, chosen.digit);
      if (found) lay(found);
      panel.digit(chosen.digit, logits, found, without(), close);
    } else {
      const {place, at: [map, y, x]} = chosen, {layers} = network, {field, start, jump} = layers[place];
      const {height, width} = maps[place], places = groups.find((group) => group.includes(place));
      const steps = mnist.trail(network, maps, given, place, chosen.at, places), turning = layers[steps[0].place];
      const where = height * width > 1 ? `, row ${y + 1}, column ${x + 1}` : "", count = turning.orientations;
      const turned = count ? `Filter ${Math.floor(map / count) + 1}, ${map % count > 3 ? "mirrored and " : ""}${TURNS[map % 4]}.` : "";
      const buttons = height * width > 1 ? [[playing ? "Stop" : "Step through the map", play], close] : [close];
      panel.value(`${titleOf(places)}, ${height * width > 1 ? "map" : "value"} ${map + 1}${where}`, steps,
                  steps.map((step) => nameOf(step.layer)), turned, ...buttons);
      for (const stack of stacks) if (stack.place === place) frame(stack, chosen.at);
      if (field) Object.assign(patch.style, {left: `${(start + x * jump) * scale}px`, top: `${(start + y * jump) * scale}px`,
                                             width: `${field * scale}px`, height: `${field * scale}px`});
      patch.hidden = !field;
    }
    // On a narrow window the panel comes right below what is chosen, and covers nothing.
    const row = chosen && "place" in chosen && (stacks.find(({place}) => place === chosen.place) || {}).row;
    const home = matchMedia("(min-width: 1000px) and (min-height: 640px)").matches || !row ? at("right") : row;
    if (at("panel").parentNode !== home) home.append(at("panel"));
  }

  function frame({canvas, columns, mark, place}, [map, y, x]) {
    const {height, width} = maps[place], scale = canvas.clientWidth / canvas.width;
    mark.hidden = false;
    Object.assign(mark.style, {left: `${(map % columns * (width + GAP) + x) * scale}px`, width: `${scale}px`,
                               top: `${(Math.floor(map / columns) * (height + GAP) + y) * scale}px`, height: `${scale}px`});
  }

  // The votes, stretched over the image as in Zhou et al.
  function lay({votes, height, width}) {
    const small = Object.assign(document.createElement("canvas"), {width, height}), overlay = at("overlay");
    const context = overlay.getContext("2d");
    paint({context: small.getContext("2d"), columns: 1, picture: new ImageData(width, height)}, {data: votes, channels: 1, height, width});
    overlay.hidden = false;
    context.clearRect(0, 0, 112, 112);
    context.drawImage(small, 0, 0, 112, 112);
  }

  // What would be read without each of the strokes.
  function without() {
    if (strokes.length < 2 || strokes.length > 6) return [];
    return strokes.map((_, i) => {
      const rest = mnist.rasterize(strokes.filter((__, k) => k !== i), mnist.SHEET.pen);
      return `Without stroke ${i + 1}: ${answerOf(network, rest)}`;
    });
  }

  function answerOf(one, pixels) {
    const scores = mnist.softmax(mnist.forward(one, pixels).pop().data), best = scores.indexOf(Math.max(...scores));
    return `${best}, ${mnist.percent(scores[best])}`;
  }

  function compare() {
    compared ||= Object.entries(networks).map(([name, each]) =>
      [name, each.parameters.toLocaleString("en"), each.average ? `${each.average} %` : "",
       image ? answerOf(each, image) : ""]);
    panel.compare(compared, HINT);
  }

  function showDigits(name) {
    at("digits").replaceChildren();
    for (const {image, label, index, misread} of digits.filter((digit) => !digit.misread || digit.misread === name)) {
      const title = `Test digit ${index}, a ${label}${misread ? ", misread by this network" : ""}`;
      const button = make("button", at("digits"), {type: "button", title, "aria-label": title, className: misread ? "misread" : ""});
      mnist.show(make("canvas", button, {width: 28, height: 28}), image, 28);
      button.onclick = () => pad.give(image);
    }
  }

  // A network that `helpers` wrote. A file that is anything else gets a sentence, and changes nothing.
  async function open(file) {
    const wrong = (why) => { at("about").textContent = `${file.name} cannot be opened: ${why}. `
      + "python -m helpers.own_digit.network_data net.py:Net() weights.pt > net.json writes such a file."; };
    let found;
    try { found = JSON.parse(await file.text()); } catch { return wrong("it is not JSON"); }
    if (!found || !Array.isArray(found.layers) || !found.layers.length) return wrong("it holds no layers of a network");
    const unknown = found.layers.find(({type}) => !(type in mnist.LAYERS));
    if (unknown) return wrong(`this page does not know the layer ${unknown.type}`);
    const name = String(found.name || file.name.replace(/\.json$/, ""));
    try {
      const loaded = mnist.load(found), logits = mnist.forward(loaded, BLANK).pop().data;
      if (logits.length !== 10 || !logits.every(Number.isFinite)) throw new Error();
      networks[name] = {...loaded, accuracy: null, average: null, parameters: Number(found.parameters) || 0};
    } catch { return wrong("its layers do not give ten logits for an image"); }
    if (![...at("network").options].some(({value}) => value === name)) make("option", at("network"), {value: name, textContent: name});
    at("network").value = name;
    compared = null;
    choose(name);
  }

  function save(canvas, name) {
    const link = make("a", document.body, {href: canvas.toDataURL("image/png"), download: name});
    link.click();
    link.remove();
  }

  // On white, whatever the theme.
  function picture() {
    const canvas = Object.assign(document.createElement("canvas"), {width: SHEET, height: SHEET}), context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SHEET, SHEET);
    context.filter = matchMedia("(prefers-color-scheme: dark)").matches ? "invert(1)" : "none";
    context.drawImage(document.querySelector(".sheet"), 0, 0);
    return canvas;
  }

  // The drawing as the fragment of a link: strokes as pairs of base 36, or an image as hexadecimal bytes.
  const two = (value, base) => Math.round(value).toString(base).padStart(2, "0");
  function link() {
    const drawn = pad.drawing();
    if (drawn.image) return `#image=${Array.from(drawn.image, (value) => two(255 * value, 16)).join("")}`;
    return `#strokes=${drawn.strokes.map((stroke) => stroke.map((point) => point.map((value) => two(value, 36)).join("")).join("")).join("-")}`;
  }

  function follow() {
    const [, kind, text] = /^#(strokes|image)=([0-9a-z-]+)$/.exec(location.hash) || [];
    const numbers = (part, base) => (part.match(/../g) || []).map((pair) => parseInt(pair, base));
    if (kind === "image" && /^[0-9a-f]{1568}$/.test(text)) pad.give(Float32Array.from(numbers(text, 16), (value) => value / 255));
    if (kind === "strokes" && /^([0-9a-z]{4})+(-([0-9a-z]{4})+)*$/.test(text)) {
      pad.give(null, text.split("-").map((part) => numbers(part, 36).reduce(
        (points, value, i) => i % 2 ? [...points.slice(0, -1), [points[points.length - 1][0], Math.min(SHEET, value)]]
          : [...points, [Math.min(SHEET, value)]], [])));
    }
  }

  for (const name of Object.keys(networks)) make("option", at("network"), {value: name, textContent: name});
  at("network").onchange = () => choose(at("network").value);
  const tell = mnist.bars(at("scores"), at("answer"));
  const whys = Array.from({length: 10}, (_, digit) => {
    const place = at("scores").children[3 * digit];
    place.replaceChildren();
    const button = make("button", place, {type: "button", textContent: digit, "aria-pressed": false, "aria-label": `Why ${digit}?`});
    button.onclick = () => chosen && chosen.digit === digit && isKept ? unchoose() : (stop(), isKept = true, pick({digit}));
    return button;
  });
  const pad = mnist.pad(at("pad"), show);
  const keep = (textContent, onclick) => make("button", at("keep"), {type: "button", textContent, onclick});
  keep("Save 28x28", () => save(at("seen"), "digit-28x28.png"));
  keep("Save picture", () => save(picture(), "digit.png"));
  keep("Link", async (event) => {
    history.replaceState(null, "", link());
    try { await navigator.clipboard.writeText(location.href); } catch { /* then it is in the address bar alone */ }
    event.target.textContent = "Link copied";
    setTimeout(() => { event.target.textContent = "Link"; }, 2000);
  });
  addEventListener("hashchange", follow);
  at("open").onclick = () => at("file").click();
  at("file").onchange = () => { for (const file of at("file").files) open(file); at("file").value = ""; };
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    for (const file of event.dataTransfer.files) open(file);
  });

  // On GitHub Pages, OWNER.github.io/NAME/..., the repository's address is known.
  const [owner] = location.hostname.split(".github.io"), [, name] = location.pathname.split("/");
  if (location.hostname.endsWith(".github.io") && name) at("home").href = `https://github.com/${owner}/${name}`;

  choose(at("network").value);
  follow();
})();
