// A trained network in plain JavaScript: its layers, as helpers/own_digit/network_data.py writes them, for an image.
// A map stack is {data: Float32Array, channels, height, width}, its rows one after another.
"use strict";

const mnist = (() => {
  const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  // An image of bytes in base64, as numbers from 0 to 1.
  const bytes = (text) => Float32Array.from(decode(text), (value) => value / 255);

  function load(network) {
    const floats = (text) => text && new Float32Array(decode(text).buffer);
    return {...network, layers: network.layers.map((layer) => {
      const loaded = {...layer, weight: floats(layer.weight), bias: floats(layer.bias)};
      return layer.orientations ? {...loaded, weight: bank(loaded)} : loaded;
    })};
  }

  // Where the n-th value lies, counted along the last of these sides first.
  function unravel(n, ...sides) {
    const found = sides.map(() => 0);
    for (let k = sides.length - 1; k >= 0; k--) [found[k], n] = [n % sides[k], Math.floor(n / sides[k])];
    return [n, ...found];
  }

  // The filters of helpers.beyond.shared.SharedConv2d in all orientations: turned, or mirrored and then turned.
  function bank({weight, out, kernel: [side], orientations}) {
    const maps = weight.length * orientations / (out * side * side), last = side - 1;
    const isOfImage = maps % orientations > 0;  // no maps that belong together
    const turns = isOfImage ? 1 : 4, mirrors = isOfImage ? 1 : orientations / 4, wholes = maps / turns / mirrors;
    return Float32Array.from({length: weight.length * orientations}, (_, n) => {
      const [filter, o, whole, m, t, i, j] = unravel(n, orientations, wholes, mirrors, turns, side, side);
      const turn = o % 4;
      let [row, column] = [[i, j], [j, last - i], [last - i, last - j], [last - j, i]][turn];
      let [half, from] = [m, (t - turn + 4 * turns) % turns];
      if (o >= 4) [half, from, column] = [mirrors - 1 - m, (turns - from) % turns, last - column];
      return weight[((((filter * wholes + whole) * mirrors + half) * turns + from) * side + row) * side + column];
    });
  }

  // Maps of these sizes, each value made of its place.
  function made(channels, height, width, valueAt) {
    const data = new Float32Array(channels * height * width);
    for (let c = 0, n = 0; c < channels; c++) for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++, n++) data[n] = valueAt(c, i, j, n);
    return {data, channels, height, width};
  }

  const eachValue = (x, change) => made(x.channels, x.height, x.width, (c, i, j, n) => change(x.data[n], c));

  // A value of maps; those that have a single map, row or column are the same everywhere along it.
  const get = ({data, channels, height, width}, c, i, j) =>
    data[((channels > 1 ? c : 0) * height + (height > 1 ? i : 0)) * width + (width > 1 ? j : 0)];

  // Which outputs have their input inside the map: from..to-1, for one place of the kernel.
  const range = (offset, stride, inputs, outputs) =>
    [Math.max(0, Math.ceil(-offset / stride)), Math.min(outputs, Math.floor((inputs - 1 - offset) / stride) + 1)];

  function conv(x, {weight, bias, out, kernel, stride, padding, dilation, groups}) {
    const [kh, kw] = kernel, [sh, sw] = stride, [ph, pw] = padding, [dh, dw] = dilation;
    const y = made(out, Math.floor((x.height + 2 * ph - dh * (kh - 1) - 1) / sh) + 1,
                   Math.floor((x.width + 2 * pw - dw * (kw - 1) - 1) / sw) + 1, (o) => bias ? bias[o] : 0);
    const ins = x.channels / groups;
    for (let o = 0, w = 0; o < out; o++) {
      const first = Math.floor(o / (out / groups)) * ins;
      for (let c = first; c < first + ins; c++) for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) {
        const factor = weight[w++], down = i * dh - ph, across = j * dw - pw;
        const [top, bottom] = range(down, sh, x.height, y.height), [left, right] = range(across, sw, x.width, y.width);
        for (let row = top; row < bottom; row++) {
          const to = (o * y.height + row) * y.width, from = (c * x.height + row * sh + down) * x.width + across;
          for (let column = left; column < right; column++) y.data[to + column] += factor * x.data[from + column * sw];
        }
      }
    }
    return y;
  }

  // What the window of a pooling holds: the places of its values in `x.data`, and what their sum is divided by.
  function windowOf(x, {kernel, stride, padding, counted}, c, i, j) {
    const held = [], top = i * stride[0] - padding[0], left = j * stride[1] - padding[1];
    const [bottom, right] = [top + kernel[0], left + kernel[1]];
    for (let row = Math.max(0, top); row < Math.min(x.height, bottom); row++)
      for (let column = Math.max(0, left); column < Math.min(x.width, right); column++)
        held.push((c * x.height + row) * x.width + column);
    const area = (Math.min(bottom, x.height + padding[0]) - top) * (Math.min(right, x.width + padding[1]) - left);
    return {held, count: counted ? area : held.length};
  }

  function pool(x, layer) {
    const {type, kernel, stride, padding, ceil} = layer, [height, width] = [x.height, x.width].map((n, i) => {
      const all = (n + 2 * padding[i] - kernel[i]) / stride[i] + 1, whole = ceil ? Math.ceil(all) : Math.floor(all);
      return ceil && (whole - 1) * stride[i] >= n + padding[i] ? whole - 1 : whole;  // a window begins inside
    });
    return made(x.channels, height, width, (...at) => {
      const {held, count} = windowOf(x, layer, ...at);
      return type === "max_pool" ? held.reduce((best, n) => Math.max(best, x.data[n]), -Infinity)
        : held.reduce((sum, n) => sum + x.data[n], 0) / count;
    });
  }

  // Two maps, value by value.
  function together(x, z, join) {
    const sides = ["channels", "height", "width"].map((side) => Math.max(x[side], z[side]));
    return made(...sides, (c, i, j) => join(get(x, c, i, j), get(z, c, i, j)));
  }

  // The maps of all inputs; where these are of different sizes, a row of their values.
  function cat(...inputs) {
    const data = Float32Array.from(inputs.flatMap((x) => [...x.data])), [{height, width}] = inputs;
    return inputs.every((x) => x.height === height && x.width === width)
      ? {data, channels: data.length / (height * width), height, width} : flatten({data});
  }

  const flatten = ({data}) => ({data, channels: data.length, height: 1, width: 1});

  // Mean and deviation over the maps of each group.
  function moments({data}, {groups, eps}) {
    const size = data.length / groups;
    return Array.from({length: groups}, (_, g) => {
      const part = data.subarray(g * size, (g + 1) * size), mean = part.reduce((a, b) => a + b, 0) / size;
      return [mean, Math.sqrt(part.reduce((a, b) => a + (b - mean) ** 2, 0) / size + eps)];
    });
  }

  function groupNorm(x, layer) {
    const {weight, bias, groups} = layer, found = moments(x, layer);
    return eachValue(x, (value, c) => {
      const [mean, deviation] = found[Math.floor(c * groups / x.channels)];
      return (value - mean) / deviation * weight[c] + bias[c];
    });
  }

  // The error function within 1.5e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
  function erf(x) {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const factors = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
    return Math.sign(x) * (1 - factors.reduce((sum, factor) => (sum + factor) * t, 0) * Math.exp(-x * x));
  }

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const clip = (x, low, high) => Math.min(high ?? Infinity, Math.max(low ?? -Infinity, x));
  const softplus = (x, beta, threshold) => x * beta > threshold ? x : Math.log1p(Math.exp(x * beta)) / beta;
  const elu = (x, alpha, scale = 1, inner = 1) => scale * (x > 0 ? x : alpha * Math.expm1(x * inner));
  // Activations of a value and the numbers that they have.
  const ACTIVATIONS = {
    sigmoid, elu, softplus, clamp: clip, hardtanh: clip, tanh: Math.tanh, abs: Math.abs, exp: Math.exp,
    sqrt: Math.sqrt, log: Math.log, sin: Math.sin, cos: Math.cos, pow: Math.pow, reciprocal: (x) => 1 / x,
    relu: (x) => Math.max(0, x), silu: (x) => x * sigmoid(x), log_sigmoid: (x) => -softplus(-x, 1, 30),
    celu: (x, alpha) => elu(x, alpha, 1, 1 / alpha),
    mish: (x) => x * Math.tanh(softplus(x, 1, 20)),
    gelu: (x) => x / 2 * (1 + erf(x / Math.SQRT2)),
    gelu_tanh: (x) => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    leaky_relu: (x, slope) => x > 0 ? x : slope * x,
    hardsigmoid: (x) => clip(x + 3, 0, 6) / 6,
    hardswish: (x) => x * clip(x + 3, 0, 6) / 6,
  };

  // Products of rows of x and rows of a weight, or of z: in each pair of matrices, all of them.
  function matmul(x, {weight, bias, pairs, rows, out}, z) {
    const other = z ? z.data : weight, count = x.data.length / pairs / rows;
    return made(1, pairs * rows, out, (c, row, o) => {
      const at = (Math.floor(row / rows) * out + o) * count;
      let sum = bias ? bias[o] : 0;
      for (let i = 0; i < count; i++) sum += other[at + i] * x.data[row * count + i];
      return sum;
    });
  }

  const LAYERS = {
    conv, matmul, max_pool: pool, avg_pool: pool, flatten, cat: (x, layer, ...others) => cat(x, ...others),
    linear: (x, layer) => flatten(matmul(x, {...layer, pairs: 1, rows: 1})), group_norm: groupNorm,
    // Values in another order, or some of them; what the index does not find is a constant.
    gather: (x, {weight, shape, fill}) => made(...shape, (c, i, j, n) => x.data[weight ? weight[n] : n] ?? fill),
    norm: (x, {weight, bias}) => eachValue(x, (value, c) => value * weight[c] + bias[c]),
    prelu: (x, {weight}) => eachValue(x, (value, c) => ACTIVATIONS.leaky_relu(value, weight[c])),
    add: (x, {numbers: [a, b]}, z) => together(x, z, (p, q) => a * p + b * q),
    mul: (x, layer, z) => together(x, z, (p, q) => p * q),
    div: (x, layer, z) => together(x, z, (p, q) => p / q),
    maximum: (x, layer, z) => together(x, z, Math.max),
  };
  for (const [name, change] of Object.entries(ACTIVATIONS))
    LAYERS[name] = (x, {numbers = []}) => eachValue(x, (value) => change(value, ...numbers));

  // The maps after each layer for an image, Float32Array(784) from 0 to 1; the last ones are the logits. The image
  // itself, normalized, is at -1, as the inputs of layers name it.
  function forward(network, image) {
    const maps = [], {mean, std} = network;
    maps[-1] = made(1, 28, 28, (c, i, j, n) => (image[n] - mean) / std);
    for (const layer of network.layers) {
      const [x, ...others] = layer.inputs.map((place) => maps[place]);
      maps.push(LAYERS[layer.type](x, layer, ...others));
    }
    return maps;
  }

  function softmax(logits) {
    const top = Math.max(...logits), powers = Array.from(logits, (logit) => Math.exp(logit - top));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  }

  return {load, bytes, forward, softmax, get, unravel, windowOf, moments, LAYERS};
})();
