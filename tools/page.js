// The page: one pad, a network to choose, and all maps of all of its layers.
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const make = (tag, parent, attributes = {}) => Object.assign(parent.appendChild(document.createElement(tag)), attributes);
  const networks = Object.fromEntries(Object.entries(DATA.networks).map(([name, network]) => [name, mnist.load(network)]));
  const digits = DATA.digits.map((digit) => ({...digit, image: mnist.bytes(digit.image)}));
  const KINDS = {conv: "convolution", norm: "batch norm", relu: "ReLU", silu: "SiLU", max_pool: "max pooling",
                 avg_pool: "average pooling", linear: "fully connected", flatten: "scores"};
  const GAP = 1, TILE = 56;
  let network = null, image = null, maps = [], rows = [];

  for (const [name, {parameters, accuracy}] of Object.entries(networks))
    make("option", at("network"), {value: name, textContent: `${name}: ${parameters.toLocaleString("en")} parameters, ${accuracy} %`});
  const bars = Array.from({length: 10}, (_, digit) => {
    make("span", at("scores"), {textContent: digit});
    return [make("i", make("span", at("scores"))), make("span", at("scores"))];
  });

  const pad = mnist.pad(at("sheet"), (drawn) => {
    if (drawn) at("sheet").style.background = "";
    else if (at("sheet").style.backgroundImage) return;
    show(drawn);
  });
  at("undo").onclick = () => { at("sheet").style.background = ""; pad.undo(); };
  at("clear").onclick = () => { at("sheet").style.background = ""; pad.clear(); };
  at("network").onchange = () => choose(at("network").value);

  // A canvas for each layer, its maps side by side.
  function choose(name) {
    network = networks[name];
    at("layers").replaceChildren();
    maps = mnist.forward(network, new Float32Array(784));
    rows = network.layers.map((layer, i) => {
      const {channels, height, width} = maps[i], row = make("div", at("layers"), {className: "layer"});
      const kernel = layer.kernel ? ` ${layer.kernel.join("x")}` : "";
      const sees = layer.field ? `, each value sees ${Math.round(layer.field)}x${Math.round(layer.field)} pixels` : "";
      const size = `${channels} ${height * width > 1 ? `maps of ${height}x${width}` : "values"}${sees}`;
      make("p", row, {textContent: `${i + 1}. ${KINDS[layer.type]}${kernel}: ${size}`});
      const columns = Math.min(channels, (innerWidth < 600 ? 6 : 16) * (height * width > 1 ? 1 : 2)), lines = Math.ceil(channels / columns);
      const canvas = make("canvas", row, {width: columns * (width + GAP) - GAP, height: lines * (height + GAP) - GAP});
      canvas.style.width = `${columns * (height * width > 1 ? TILE : 28)}px`;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${KINDS[layer.type]}, ${size}`);
      for (const event of ["pointermove", "pointerdown"]) canvas.addEventListener(event, (e) => point(e, i));
      canvas.addEventListener("pointerleave", () => { at("patch").style.display = "none"; });
      const context = canvas.getContext("2d");
      return {canvas, context, columns, picture: context.createImageData(canvas.width, canvas.height)};
    });
    showDigits(name);
    show(image);
  }

  function show(given) {
    image = given;
    mnist.show(at("seen"), image || new Float32Array(784), 28);
    maps = mnist.forward(network, image || new Float32Array(784));
    const scores = image ? mnist.softmax(maps[maps.length - 1].data) : new Array(10).fill(0);
    bars.forEach(([bar, text], digit) => {
      bar.style.width = `${100 * scores[digit]}%`;
      text.textContent = image ? `${(100 * scores[digit]).toFixed(1)} %` : "";
    });
    at("answer").textContent = mnist.say(scores, image);
    rows.forEach((row, i) => paint(row, maps[i]));
  }

  function paint({context, columns, picture}, {data, channels, height, width}) {
    let top = 1e-6;
    for (const value of data) top = Math.max(top, Math.abs(value));
    const pixels = picture.data;
    for (let c = 0, n = 0; c < channels; c++) {
      const left = (c % columns) * (width + GAP), above = Math.floor(c / columns) * (height + GAP);
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++, n++) {
        const share = Math.sqrt(Math.abs(data[n]) / top), to = 4 * ((above + y) * picture.width + left + x);
        pixels[to] = (data[n] > 0 ? 255 : 60) * share;
        pixels[to + 1] = (data[n] > 0 ? 190 : 150) * share;
        pixels[to + 2] = (data[n] > 0 ? 60 : 255) * share;
        pixels[to + 3] = 255;
      }
    }
    context.putImageData(picture, 0, 0);
  }

  function point(event, i) {
    const {canvas, columns} = rows[i], {data, channels, height, width} = maps[i], layer = network.layers[i];
    const box = canvas.getBoundingClientRect();
    const px = Math.floor((event.clientX - box.left) * canvas.width / box.width), py = Math.floor((event.clientY - box.top) * canvas.height / box.height);
    const column = Math.floor(px / (width + GAP)), x = px % (width + GAP), y = py % (height + GAP);
    const c = Math.floor(py / (height + GAP)) * columns + column;
    if (c >= channels || x >= width || y >= height || column >= columns) return;
    const value = data[(c * height + y) * width + x].toFixed(3);
    at("value").textContent = `Layer ${i + 1}, ${KINDS[layer.type]}, map ${c + 1}, row ${y + 1}, column ${x + 1}: ${value}`
      + (layer.field ? `. It sees ${layer.field}x${layer.field} pixels.` : "");
    const patch = at("patch").style, scale = 112 / 28;
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
      const button = make("button", at("digits"), {type: "button", title}), canvas = make("canvas", button, {width: 28, height: 28});
      button.setAttribute("aria-label", title);
      mnist.show(canvas, image, 28);
      button.onclick = () => {
        pad.draw([]);
        at("sheet").style.background = `#000 url(${canvas.toDataURL()}) 0 0 / 100% 100%`;
        at("sheet").style.imageRendering = "pixelated";
        show(image);
      };
    }
  }

  // On GitHub Pages, OWNER.github.io/NAME/..., the repository's address is known.
  const [owner] = location.hostname.split(".github.io"), [, name] = location.pathname.split("/");
  if (location.hostname.endsWith(".github.io") && name) at("home").href = `https://github.com/${owner}/${name}`;

  choose(at("network").value);
})();
