// The page: one pad, a network to choose, and all maps of all of its layers.
"use strict";
(() => {
  const at = (id) => document.getElementById(id), make = mnist.make;
  const networks = Object.fromEntries(
    Object.entries(DATA.networks).map(([name, network]) => [name, mnist.load(network)]));
  const digits = DATA.digits.map((digit) => ({...digit, image: mnist.bytes(digit.image)}));
  const KINDS = {conv: "convolution", norm: "batch norm", relu: "ReLU", silu: "SiLU", max_pool: "max pooling",
                 avg_pool: "average pooling", linear: "fully connected", flatten: "scores"};
  const GAP = 1, TILE = 56, PURPLE = [45, 0, 75], ORANGE = [127, 59, 8];  // of the largest; zero is white
  const HINT = at("value").textContent;
  let network = null, image = null, strokes = [], maps = [], rows = [], pointed = null;

  for (const [name, {parameters, accuracy}] of Object.entries(networks)) {
    const textContent = `${name}: ${parameters.toLocaleString("en")} parameters, ${accuracy} %`;
    make("option", at("network"), {value: name, textContent});
  }
  const tell = mnist.bars(at("scores"), at("answer"));
  const pad = mnist.pad(at("pad"), show);
  at("network").onchange = () => choose(at("network").value);

  function choose(name) {
    network = networks[name];
    pointed = null;
    at("layers").replaceChildren();
    maps = mnist.forward(network, new Float32Array(784));
    rows = network.layers.map(rowOf);
    showDigits(name);
    show(image, strokes);
  }

  // A canvas for a layer, its maps side by side, below a line of text.
  function rowOf(layer, i) {
    const {channels, height, width} = maps[i], areMaps = height * width > 1;
    const kernel = layer.kernel ? ` ${layer.kernel.join("x")}` : "", field = Math.round(layer.field);
    const size = `${channels} ${areMaps ? `maps of ${height}x${width}` : "values"}`
      + (layer.field ? `, each value sees ${field}x${field} pixels` : "");
    const row = make("div", at("layers"), {className: "layer"});
    make("p", row, {textContent: `${i + 1}. ${KINDS[layer.type] || layer.type}${kernel}: ${size}`});
    const columns = Math.min(channels, (innerWidth < 600 ? 6 : 16) * (areMaps ? 1 : 2));
    const lines = Math.ceil(channels / columns);
    const canvas = make("canvas", row, {width: columns * (width + GAP) - GAP, height: lines * (height + GAP) - GAP,
                                        role: "img", "aria-label": `${KINDS[layer.type] || layer.type}, ${size}`});
    canvas.style.width = `${columns * (areMaps ? TILE : 28)}px`;
    for (const name of ["pointermove", "pointerdown"]) canvas.addEventListener(name, (event) => point(event, i));
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "mouse") return;  // a finger that is lifted has chosen a value
      pointed = null;
      tellValue();
    });
    const context = canvas.getContext("2d");
    return {canvas, context, columns, picture: context.createImageData(canvas.width, canvas.height)};
  }

  function show(given, drawn) {
    [image, strokes] = [given, drawn];
    mnist.show(at("seen"), image || new Float32Array(784), 28);
    maps = mnist.forward(network, image || new Float32Array(784));
    tell(maps[maps.length - 1].data, image, network, strokes);
    rows.forEach((row, i) => paint(row, maps[i]));
    tellValue();
  }

  function paint({context, columns, picture}, {data, channels, height, width}) {
    let top = 1e-6;
    for (const value of data) top = Math.max(top, Math.abs(value));
    const pixels = picture.data;
    for (let c = 0, n = 0; c < channels; c++) {
      const left = (c % columns) * (width + GAP), above = Math.floor(c / columns) * (height + GAP);
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++, n++) {
        const share = Math.sqrt(Math.abs(data[n]) / top), to = 4 * ((above + y) * picture.width + left + x);
        const color = data[n] > 0 ? PURPLE : ORANGE;  // as in the notebooks
        for (let i = 0; i < 3; i++) pixels[to + i] = 255 + (color[i] - 255) * share;
        pixels[to + 3] = 255;
      }
    }
    context.putImageData(picture, 0, 0);
  }

  // Which value of layer i lies below the pointer: its map, row and column; null between the maps.
  function valueAt(event, i) {
    const {canvas, columns} = rows[i], {channels, height, width} = maps[i], box = canvas.getBoundingClientRect();
    const across = Math.floor((event.clientX - box.left) * canvas.width / box.width);
    const down = Math.floor((event.clientY - box.top) * canvas.height / box.height);
    const column = Math.floor(across / (width + GAP)), line = Math.floor(down / (height + GAP));
    const map = line * columns + column, x = across % (width + GAP), y = down % (height + GAP);
    return map < channels && x < width && y < height && column < columns ? {map, x, y} : null;
  }

  function point(event, i) {
    const found = valueAt(event, i);
    if (!found) return;
    pointed = {...found, i};
    tellValue();
  }

  // Tells the value that is pointed at, and frames the part of the digit that it sees.
  function tellValue() {
    const patch = at("patch").style, scale = 112 / 28;
    if (!pointed) {
      patch.display = "none";
      if (at("value").textContent !== HINT) at("value").textContent = HINT;  // else it would be read out again
      return;
    }
    const {i, map, x, y} = pointed, layer = network.layers[i], {data, height, width} = maps[i];
    const place = `Layer ${i + 1}, ${KINDS[layer.type] || layer.type}, map ${map + 1}, row ${y + 1}, column ${x + 1}`;
    at("value").textContent = `${place}: ${data[(map * height + y) * width + x].toFixed(3)}`
      + (layer.field ? `. It sees ${layer.field}x${layer.field} pixels.` : "");
    patch.display = layer.field ? "block" : "none";
    patch.left = `${(layer.start + x * layer.jump) * scale}px`;
    patch.top = `${(layer.start + y * layer.jump) * scale}px`;
    patch.width = patch.height = `${layer.field * scale}px`;
  }

  function showDigits(name) {
    at("digits").replaceChildren();
    let wrong = false;
    for (const {image, label, index, misread} of digits.filter((digit) => !digit.misread || digit.misread === name)) {
      if (misread && !wrong) make("span", at("digits"), {textContent: "|"});
      wrong = Boolean(misread);
      const title = `test digit ${index}, a ${label}`;
      const button = make("button", at("digits"), {type: "button", title, "aria-label": title});
      const canvas = make("canvas", button, {width: 28, height: 28});
      mnist.show(canvas, image, 28);
      button.onclick = () => pad.give(image);
    }
  }

  // On GitHub Pages, OWNER.github.io/NAME/..., the repository's address is known.
  const [owner] = location.hostname.split(".github.io"), [, name] = location.pathname.split("/");
  if (location.hostname.endsWith(".github.io") && name) at("home").href = `https://github.com/${owner}/${name}`;

  choose(at("network").value);
})();
