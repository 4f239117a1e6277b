// A trained network in plain JavaScript: its layers, as helpers/own_digit/network_data.py writes them, applied to an image.
// A map stack is {data: Float32Array, channels, height, width}, its rows one after another.
"use strict";

const mnist = (() => {
  const SIDE = 28;  // pixels of an image

  // Bytes from base64, by hand: engines without a browser have no atob.
  function decode(text) {
    const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const value = Object.fromEntries([...digits].map((digit, i) => [digit, i]));
    const clean = text.replace(/=+$/, "");
    const bytes = new Uint8Array(Math.floor(clean.length * 3 / 4));
    let bits = 0, count = 0, place = 0;
    for (const digit of clean) {
      bits = (bits << 6 | value[digit]) & 0xffffff;
      count += 6;
      if (count >= 8) bytes[place++] = bits >> (count -= 8);
    }
    return bytes;
  }

  function load(network) {
    const floats = (text) => new Float32Array(decode(text).buffer);
    const numbers = (layer) => Object.fromEntries(
      ["weight", "bias"].filter((name) => layer[name]).map((name) => [name, floats(layer[name])]));
    const whole = (layer) => layer.orientations ? {...layer, weight: bank(layer)} : layer;
    return {...network, layers: network.layers.map((layer) => whole({...layer, ...numbers(layer)}))};
  }

  // The filters of helpers.beyond.shared.SharedConv2d in all orientations: turned, or mirrored and then turned.
  function bank({weight, out, kernel: [side], orientations}) {
    const filters = out / orientations, maps = weight.length / (filters * side * side), last = side - 1;
    const onImage = maps % orientations > 0;  // no maps that belong together
    const turns = onImage ? 1 : 4, mirrors = onImage ? 1 : orientations / 4;
    const all = new Float32Array(out * maps * side * side);
    let place = 0;
    for (let f = 0; f < filters; f++) for (let o = 0; o < orientations; o++)
      for (let c = 0; c < maps; c += mirrors * turns) for (let m = 0; m < mirrors; m++) for (let t = 0; t < turns; t++)
        for (let i = 0; i < side; i++) for (let j = 0; j < side; j++) {
          const turn = o % 4, mirrored = o >= 4;
          let [row, column] = [[i, j], [j, last - i], [last - i, last - j], [last - j, i]][turn];
          let from = (t - turn + 4 * turns) % turns, half = m;
          if (mirrored) [half, from, column] = [mirrors - 1 - m, (turns - from) % turns, last - column];
          const map = f * maps + c + half * turns + from;
          all[place++] = weight[(map * side + row) * side + column];
        }
    return all;
  }

  // An image of bytes, as numbers from 0 to 1.
  const bytes = (text) => Float32Array.from(decode(text), (value) => value / 255);

  const empty = (channels, height, width) =>
    ({data: new Float32Array(channels * height * width), channels, height, width});

  // Which outputs have their input inside the map: from..to-1, for one place of the kernel.
  function range(offset, stride, inputs, outputs) {
    return [Math.max(0, Math.ceil(-offset / stride)), Math.min(outputs, Math.floor((inputs - 1 - offset) / stride) + 1)];
  }

  function conv(x, {weight, bias, out, kernel, stride, padding, dilation, groups}) {
    const [kh, kw] = kernel, [sh, sw] = stride, [ph, pw] = padding, [dh, dw] = dilation;
    const y = empty(out, Math.floor((x.height + 2 * ph - dh * (kh - 1) - 1) / sh) + 1,
                    Math.floor((x.width + 2 * pw - dw * (kw - 1) - 1) / sw) + 1);
    const ins = x.channels / groups, size = y.height * y.width;
    for (let o = 0, w = 0; o < out; o++) {
      if (bias) y.data.fill(bias[o], o * size, (o + 1) * size);
      const first = Math.floor(o / (out / groups)) * ins;
      for (let c = first; c < first + ins; c++) for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) {
        const factor = weight[w++], down = i * dh - ph, across = j * dw - pw;
        const [top, bottom] = range(down, sh, x.height, y.height), [left, right] = range(across, sw, x.width, y.width);
        for (let row = top; row < bottom; row++) {
          const to = o * size + row * y.width;
          const from = c * x.height * x.width + (row * sh + down) * x.width + across;
          for (let column = left; column < right; column++) y.data[to + column] += factor * x.data[from + column * sw];
        }
      }
    }
    return y;
  }

  function pool(x, {kernel, stride, padding, counted, ceil}, isMax) {
    const length = (n, i) => {
      const all = (n + 2 * padding[i] - kernel[i]) / stride[i] + 1, whole = ceil ? Math.ceil(all) : Math.floor(all);
      return ceil && (whole - 1) * stride[i] >= n + padding[i] ? whole - 1 : whole;  // a window begins inside
    };
    const y = empty(x.channels, length(x.height, 0), length(x.width, 1));
    for (let c = 0, to = 0; c < y.channels; c++) for (let row = 0; row < y.height; row++)
      for (let column = 0; column < y.width; column++) {
        const top = row * stride[0] - padding[0], left = column * stride[1] - padding[1];
        let best = -Infinity, sum = 0, count = 0;
        for (let i = Math.max(0, top); i < Math.min(x.height, top + kernel[0]); i++)
          for (let j = Math.max(0, left); j < Math.min(x.width, left + kernel[1]); j++) {
            const value = x.data[(c * x.height + i) * x.width + j];
            best = Math.max(best, value); sum += value; count++;
          }
        const window = Math.min(top + kernel[0], x.height + padding[0]) - top;
        const counts = counted ? window * (Math.min(left + kernel[1], x.width + padding[1]) - left) : count;
        y.data[to++] = isMax ? best : sum / counts;
      }
    return y;
  }

  function eachValue(x, change) {
    const y = empty(x.channels, x.height, x.width), size = x.height * x.width;
    for (let i = 0; i < x.data.length; i++) y.data[i] = change(x.data[i], Math.floor(i / size));
    return y;
  }

  // Two maps, value by value; one that has a single row, column or map is used for all of them.
  function together(x, z, join) {
    const [channels, height, width] = ["channels", "height", "width"].map((side) => Math.max(x[side], z[side]));
    const y = empty(channels, height, width);
    const at = ({data, channels, height, width}, c, i, j) =>
      data[((channels > 1 ? c : 0) * height + (height > 1 ? i : 0)) * width + (width > 1 ? j : 0)];
    for (let c = 0, to = 0; c < channels; c++) for (let i = 0; i < height; i++) for (let j = 0; j < width; j++)
      y.data[to++] = join(at(x, c, i, j), at(z, c, i, j));
    return y;
  }

  function cat(...maps) {
    const y = empty(maps.reduce((sum, {channels}) => sum + channels, 0), maps[0].height, maps[0].width);
    let to = 0;
    for (const {data} of maps) { y.data.set(data, to); to += data.length; }
    return y;
  }

  function pad(x, {numbers: [left, right, above, below]}) {
    const y = empty(x.channels, x.height + above + below, x.width + left + right);
    for (let c = 0; c < x.channels; c++) for (let i = 0; i < x.height; i++) {
      const from = (c * x.height + i) * x.width;
      y.data.set(x.data.subarray(from, from + x.width), (c * y.height + above + i) * y.width + left);
    }
    return y;
  }

  // Mean 0 and deviation 1 over the maps of each group, then a factor and an addend for each map.
  function groupNorm(x, {weight, bias, groups, eps}) {
    const size = x.data.length / groups, moments = [];
    for (let g = 0; g < groups; g++) {
      const part = x.data.subarray(g * size, (g + 1) * size), mean = part.reduce((a, b) => a + b, 0) / size;
      moments.push([mean, Math.sqrt(part.reduce((a, b) => a + (b - mean) ** 2, 0) / size + eps)]);
    }
    return eachValue(x, (value, c) => {
      const [mean, deviation] = moments[Math.floor(c * groups / x.channels)];
      return (value - mean) / deviation * weight[c] + bias[c];
    });
  }

  // The error function, by its series, or by its continued fraction where the series is long.
  function erf(x) {
    const a = Math.abs(x);
    if (a > 3) {
      let rest = 0;
      for (let n = 40; n > 0; n--) rest = n / 2 / (a + rest);
      return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + rest));
    }
    let term = x, sum = x;
    for (let n = 1; n < 60; n++) { term *= -x * x / n; sum += term / (2 * n + 1); }
    return 2 / Math.sqrt(Math.PI) * sum;
  }

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const clip = (x, low, high) => Math.min(high ?? Infinity, Math.max(low ?? -Infinity, x));
  const softplus = (x, beta, threshold) => x * beta > threshold ? x : Math.log1p(Math.exp(x * beta)) / beta;
  const elu = (x, alpha, scale = 1, inner = 1) => scale * (x > 0 ? x : alpha * Math.expm1(x * inner));
  // Activations of a value and the numbers that they have.
  const ACTIVATIONS = {
    sigmoid, elu, softplus, tanh: Math.tanh, abs: Math.abs, exp: Math.exp, clamp: clip, hardtanh: clip,
    relu: (x) => Math.max(0, x),
    sqrt: Math.sqrt, log: Math.log, sin: Math.sin, cos: Math.cos, pow: Math.pow,
    reciprocal: (x) => 1 / x,
    log_sigmoid: (x) => -softplus(-x, 1, 30),
    silu: (x) => x * sigmoid(x),
    celu: (x, alpha) => elu(x, alpha, 1, 1 / alpha),
    mish: (x) => x * Math.tanh(softplus(x, 1, 20)),
    gelu: (x) => x / 2 * (1 + erf(x / Math.SQRT2)),
    gelu_tanh: (x) => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    leaky_relu: (x, slope) => x > 0 ? x : slope * x,
    hardsigmoid: (x) => clip(x + 3, 0, 6) / 6,
    hardswish: (x) => x * clip(x + 3, 0, 6) / 6,
  };

  function linear(x, {weight, bias, out}) {
    const y = empty(out, 1, 1), count = x.data.length;
    for (let o = 0; o < out; o++) {
      let sum = bias ? bias[o] : 0;
      for (let i = 0; i < count; i++) sum += weight[o * count + i] * x.data[i];
      y.data[o] = sum;
    }
    return y;
  }

  // Products of rows of x and rows of a weight, or of z: in each pair of matrices, all of them.
  function matmul(x, {weight, bias, pairs, rows, out}, z) {
    const y = empty(1, pairs * rows, out), other = z ? z.data : weight, count = x.data.length / pairs / rows;
    for (let row = 0, to = 0; row < pairs * rows; row++) for (let o = 0; o < out; o++) {
      let sum = bias ? bias[o] : 0;
      const at = (Math.floor(row / rows) * out + o) * count;
      for (let i = 0; i < count; i++) sum += other[at + i] * x.data[row * count + i];
      y.data[to++] = sum;
    }
    return y;
  }

  const LAYERS = {
    conv, linear, matmul,
    pad, group_norm: groupNorm,
    // Values in another order, or some of them; what the index does not find is a constant.
    gather: (x, {weight, shape: [channels, height, width], fill}) =>
      ({data: weight ? Float32Array.from(weight, (i) => x.data[i] ?? fill) : x.data, channels, height, width}),
    norm: (x, {weight, bias}) => eachValue(x, (value, c) => value * weight[c] + bias[c]),
    prelu: (x, {weight}) => eachValue(x, (value, c) => value > 0 ? value : value * weight[c]),
    cat: (x, layer, ...others) => cat(x, ...others),
    add: (x, {numbers: [a, b]}, z) => together(x, z, (p, q) => a * p + b * q),
    mul: (x, layer, z) => together(x, z, (p, q) => p * q),
    div: (x, layer, z) => together(x, z, (p, q) => p / q),
    maximum: (x, layer, z) => together(x, z, Math.max),
    max_pool: (x, layer) => pool(x, layer, true),
    avg_pool: (x, layer) => pool(x, layer, false),
    flatten: (x) => ({data: x.data, channels: x.data.length, height: 1, width: 1}),
  };
  for (const [name, change] of Object.entries(ACTIVATIONS))
    LAYERS[name] = (x, {numbers = []}) => eachValue(x, (value) => change(value, ...numbers));

  // The maps after each layer for an image, Float32Array(784) from 0 to 1; the last ones are the logits.
  function forward(network, image) {
    const given = eachValue({data: image, channels: 1, height: SIDE, width: SIDE},
                            (value) => (value - network.mean) / network.std), maps = [];
    for (const layer of network.layers) {
      const [x, ...others] = layer.inputs.map((place) => place < 0 ? given : maps[place]);
      maps.push(LAYERS[layer.type](x, layer, ...others));
    }
    return maps;
  }

  function softmax(logits) {
    const top = Math.max(...logits), powers = Array.from(logits, (logit) => Math.exp(logit - top));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  }

  return {load, bytes, forward, softmax, LAYERS};
})();
if (typeof globalThis !== "undefined") globalThis.mnist = mnist;
