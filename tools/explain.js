// How a value came about: the numbers that its layer made it of, and where the evidence for a digit lies.
"use strict";

Object.assign(mnist, (() => {
  const get = (x, c, i, j) => x.data[(c * x.height + i) * x.width + j];
  const within = (x, i, j) => i >= 0 && j >= 0 && i < x.height && j < x.width;
  const alone = (value) => ({data: Float64Array.from([value]), channels: 1, height: 1, width: 1});

  // A number as the page shows it: three digits, and a minus as wide as a plus.
  function said(value) {
    const size = Math.abs(value), text = size < 0.0005 ? "0" : size < 0.1 ? value.toPrecision(3) : value.toFixed(3);
    return text.replace("-", "\u2212");
  }

  const total = (values) => values.reduce((sum, value) => sum + value, 0);

  // A convolution: for each map that it reads the patch, the kernel and the sum of their products. Outside is 0.
  function conv([x], {weight, bias, out, kernel: [kh, kw], stride, padding, dilation, groups}, [c, i, j]) {
    const ins = x.channels / groups, first = Math.floor(c / (out / groups)) * ins, parts = [];
    for (let m = 0; m < ins; m++) {
      const kernel = Array.from(weight.subarray((c * ins + m) * kh * kw, (c * ins + m + 1) * kh * kw));
      const patch = kernel.map((_, k) => {
        const row = i * stride[0] - padding[0] + Math.floor(k / kw) * dilation[0];
        const column = j * stride[1] - padding[1] + k % kw * dilation[1];
        return within(x, row, column) ? get(x, first + m, row, column) : 0;
      });
      parts.push({map: first + m, patch, kernel, sum: total(patch.map((value, k) => value * kernel[k]))});
    }
    return summed(parts, bias ? bias[c] : 0, kw);
  }

  function linear([x], {weight, bias}, [c]) {
    const parts = Array.from(x.data, (value, map) => {
      const factor = weight[c * x.data.length + map];
      return {map, patch: [value], kernel: [factor], sum: value * factor};
    });
    return summed(parts, bias ? bias[c] : 0, 1);
  }

  const summed = (parts, bias, columns) => ({parts, bias, columns, total: total(parts.map(({sum}) => sum)) + bias});

  // A pooling: the values in its window, and the place of the largest.
  function pool([x], {kernel, stride, padding, counted}, [c, i, j], isMax) {
    const top = i * stride[0] - padding[0], left = j * stride[1] - padding[1], values = [];
    let from = null;
    for (let row = top; row < top + kernel[0]; row++) for (let column = left; column < left + kernel[1]; column++) {
      if (!within(x, row, column)) continue;
      values.push(get(x, c, row, column));
      if (!from || get(x, ...from) < get(x, c, row, column)) from = [c, row, column];
    }
    const reach = (start, length, size, edge) => Math.min(start + length, size + edge) - start;
    const count = counted ? reach(top, kernel[0], x.height, padding[0]) * reach(left, kernel[1], x.width, padding[1])
      : values.length;
    const shown = values.length > 16 ? `${values.length} values` : values.map(said).join(", ");
    if (isMax) return {text: `the largest of ${shown}`, total: get(x, ...from), from};
    return {text: `the mean of ${shown}`, total: total(values) / count};
  }

  // Layers that change each value by itself, as formulas.
  const FORMULAS = {
    relu: (x) => `max(0, ${x})`, silu: (x) => `${x} \u00d7 \u03c3(${x})`, sigmoid: (x) => `\u03c3(${x})`,
    abs: (x) => `|${x}|`, exp: (x) => `exp ${x}`,
  };
  const SIGNS = {add: "+", mul: "\u00d7", div: "/", maximum: "or, if larger,"};

  function other(inputs, layer, [c, i, j], y) {
    const [x] = inputs, {type, weight, bias, numbers} = layer, at = [c, i, j];
    if (inputs.length > 1 && type in SIGNS) {
      const values = inputs.map((z) => get(z, z.channels > 1 ? c : 0, z.height > 1 ? i : 0, z.width > 1 ? j : 0));
      const scaled = type === "add" ? values.map((value, k) => value * numbers[k]) : values;
      const [p, q] = values.map(alone);
      return {text: scaled.map(said).join(` ${SIGNS[type]} `), total: mnist.LAYERS[type](p, layer, q).data[0]};
    }
    if (type === "flatten" || type === "gather") {  // a value from another place, or a constant
      const to = (c * y.height + i) * y.width + j, index = type === "gather" && weight ? weight[to] : to;
      if (!(index in x.data)) return {text: "a constant", total: layer.fill};
      const size = x.height * x.width, rest = index % size;
      const from = [Math.floor(index / size), Math.floor(rest / x.width), rest % x.width];
      return {text: `the value of map ${from[0] + 1}`, total: x.data[index], from};
    }
    const isSame = ["channels", "height", "width"].every((side) => x[side] === y[side]);
    if (!isSame || inputs.length > 1) return {text: "a value of the maps before", total: get(y, ...at)};
    const value = get(x, ...at);
    if (type === "norm") {
      return {text: `${said(value)} \u00d7 ${said(weight[c])} + ${said(bias[c])}`, from: at,
              total: value * weight[c] + bias[c]};
    }
    if (type in FORMULAS) {
      return {text: FORMULAS[type](said(value)), total: mnist.LAYERS[type](alone(value), layer).data[0], from: at};
    }
    return {text: `${type.replace(/_/g, " ")} of ${said(value)}`, total: get(y, ...at), from: at};
  }

  // What the layer at `place` made the value [map, row, column] of: parts and a bias, or a line of text; the total, which
  // is the value; and from which value of the layer before it came, if it is one.
  function explain(network, maps, given, place, at) {
    const layer = network.layers[place], inputs = layer.inputs.map((before) => before < 0 ? given : maps[before]);
    const {type} = layer, isPool = type === "max_pool" || type === "avg_pool";
    const found = type === "conv" ? conv(inputs, layer, at) : type === "linear" ? linear(inputs, layer, at)
      : isPool ? pool(inputs, layer, at, type === "max_pool") : other(inputs, layer, at, maps[place]);
    return {place, at, layer, value: get(maps[place], ...at), ...found};
  }

  // The same, and before it the steps of the layers in `places` that led to the value.
  function trail(network, maps, given, place, at, places) {
    const steps = [explain(network, maps, given, place, at)];
    for (;;) {
      const [{layer, from}] = steps, [before] = layer.inputs;
      if (!from || layer.inputs.length > 1 || !places.includes(before)) return steps;
      steps.unshift(explain(network, maps, given, before, from));
    }
  }

  // Whether a layer is the mean of each whole map.
  const isMean = (network, maps, place) =>
    network.layers[place].type === "avg_pool" && maps[place].height * maps[place].width === 1;

  // For each position of the last maps, its vote for a digit; their mean is the logit. null if the network does not end
  // in a mean over positions. Source: Zhou et al., arXiv:1512.04150 (class activation maps).
  function evidence(network, maps, digit) {
    const before = (place, ...types) => {
      while (place >= 0 && types.includes(network.layers[place].type)) [place] = network.layers[place].inputs;
      return place;
    };
    const isLast = (place) => place >= 0 && isMean(network, maps, place) && network.layers[place].inputs[0] >= 0;
    const source = (place) => maps[network.layers[place].inputs[0]];
    const place = before(maps.length - 1, "flatten");
    if (isLast(place)) {
      const {data, height, width} = source(place), size = height * width;
      return size > 1 ? {votes: data.slice(digit * size, (digit + 1) * size), height, width} : null;
    }
    const {type, weight, bias, kernel = [1, 1]} = network.layers[place];
    const mean = before(network.layers[place].inputs[0], "flatten");
    if (!["linear", "conv"].includes(type) || kernel[0] * kernel[1] > 1 || !isLast(mean)) return null;
    const {data, channels, height, width} = source(mean), size = height * width;
    const votes = Float64Array.from({length: size}, (_, at) => (bias ? bias[digit] : 0)
      + total(Array.from({length: channels}, (_, c) => weight[digit * channels + c] * data[c * size + at])));
    return size > 1 ? {votes, height, width} : null;
  }

  return {explain, trail, evidence, isMean, said};
})());
