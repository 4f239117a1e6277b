// How a value came about: the numbers that its layer made it of, and where the evidence for a digit lies.
"use strict";

Object.assign(mnist, (() => {
  const {get, unravel} = mnist;
  const total = (values) => values.reduce((sum, value) => sum + value, 0);

  // A number as the page shows it: three digits, and a minus as wide as a plus.
  function said(value) {
    const size = Math.abs(value), text = size < 0.0005 ? "0" : size < 0.1 ? value.toPrecision(3) : value.toFixed(3);
    return text.replace("-", "\u2212").replace("Infinity", "\u221e");
  }

  // A convolution, or a fully connected layer, which is one of 1x1: for each map that it reads the patch, the kernel
  // and the sum of their products. Outside is 0.
  function sums([x], layer, [c, ...at]) {
    const one = [1, 1], {weight, bias, out, kernel = one, stride = one, padding = [0, 0], dilation = one} = layer;
    const ins = weight.length / (out * kernel[0] * kernel[1]), size = kernel[0] * kernel[1];
    const first = Math.floor(c * (layer.groups || 1) / out) * ins;
    const parts = Array.from({length: ins}, (_, m) => {
      const factors = Array.from(weight.subarray((c * ins + m) * size, (c * ins + m + 1) * size));
      const patch = factors.map((_, k) => {
        const [i, j] = unravel(k, kernel[1]).map((step, a) => at[a] * stride[a] - padding[a] + step * dilation[a]);
        return i < 0 || j < 0 || i >= x.height || j >= x.width ? 0 : get(x, first + m, i, j);
      });
      return {map: first + m, patch, kernel: factors, sum: total(patch.map((value, k) => value * factors[k]))};
    });
    const added = bias ? bias[c] : 0;
    return {parts, bias: added, columns: kernel[1], total: total(parts.map(({sum}) => sum)) + added};
  }

  // A product of two rows, of which the second one may be weights: each pair of their values is a part.
  function product([x, z], {weight, bias, pairs, rows, out}, [, row, o]) {
    const channels = x.data.length / pairs / rows, first = Math.floor(row / rows) * out * channels;
    const line = {data: x.data.subarray(row * channels), channels, height: 1, width: 1};
    return sums([line], {weight: (z ? z.data : weight).subarray(first, first + out * channels), bias, out}, [o, 0, 0]);
  }

  function pool([x], layer, at) {
    const {held, count} = mnist.windowOf(x, layer, ...at), values = held.map((n) => x.data[n]);
    const shown = values.length > 16 ? `${values.length} values` : values.map(said).join(", ");
    const zeros = count > values.length ? ` and ${count - values.length} zeros outside` : "";
    if (layer.type === "avg_pool") return {text: `the mean of ${shown}${zeros}`, total: total(values) / count};
    const largest = values.indexOf(Math.max(...values)), from = unravel(held[largest], x.height, x.width);
    return {text: `the largest of ${shown}`, total: values[largest], from};
  }

  // Values in another order, or of several inputs in a row; what the index does not find is a constant.
  function moved(inputs, {weight, fill}, [c, i, j], y) {
    const n = (c * y.height + i) * y.width + j;
    let place = weight ? weight[n] : n, k = 0;
    while (k < inputs.length - 1 && place >= inputs[k].data.length) place -= inputs[k++].data.length;
    const {data, height, width} = inputs[k], from = unravel(place, height, width);
    if (!(place in data)) return {text: "a constant", total: fill};
    return {text: `the value of map ${from[0] + 1}${k ? ` of input ${k + 1}` : ""}`, total: data[place], from};
  }

  // Layers that change each value by itself, as formulas of x, and of y if two are joined. a, b and c are the numbers
  // of the layer or of its map; the first formula of two is for x above 0, the second for the others.
  const FORMULAS = {
    norm: "x × a + b", add: "a × x + b × y", mul: "x × y", div: "x / y", maximum: "max(x, y)",
    relu: "max(0, x)", abs: "|x|", exp: "exp(x)", tanh: "tanh(x)", sqrt: "\u221a(x)", log: "ln(x)", sin: "sin(x)",
    cos: "cos(x)", pow: "(x) ^ a", reciprocal: "1 / x", sigmoid: "σ(x)", silu: "x × σ(x)", log_sigmoid: "ln(σ(x))",
    mish: "x × tanh(ln(1 + exp(x)))", softplus: "ln(1 + exp(a × x)) / a", gelu: "x × Φ(x)",
    gelu_tanh: "x / 2 × (1 + tanh(0.7979 × (x + 0.0447 × x × x × x)))", hardsigmoid: "max(0, min(6, x + 3)) / 6",
    hardswish: "x × max(0, min(6, x + 3)) / 6", clamp: "max(a, min(b, x))", hardtanh: "max(a, min(b, x))",
    leaky_relu: ["x", "a × x"], prelu: ["x", "a × x"], celu: ["x", "a × (exp(x / a) \u2212 1)"],
    elu: ["b × x", "b × a × (exp(c × x) \u2212 1)"],
  };

  function formula(inputs, layer, at) {
    const [x, y] = inputs.map((input) => get(input, ...at)), texts = [FORMULAS[layer.type]].flat();
    const [weight, bias] = [layer.weight, layer.bias].map((all) => all && [all[at[0]]]);
    const [a, b, c] = layer.numbers || [weight, bias].flat();
    const shown = {x, y, a: a ?? -Infinity, b: b ?? Infinity, c};  // a clamp may have one end alone
    const text = texts[x > 0 ? 0 : texts.length - 1].replace(/\b[xyabc]\b/g, (name) => said(shown[name]));
    const [first, second] = [x, y].map((value) => ({data: [value], channels: 1, height: 1, width: 1}));
    return {text, total: mnist.LAYERS[layer.type](first, {...layer, weight, bias}, second).data[0], from: at};
  }

  function groupNorm([x], layer, at) {
    const [mean, deviation] = mnist.moments(x, layer)[Math.floor(at[0] * layer.groups / x.channels)];
    const value = get(x, ...at), normed = {...x, data: x.data.map((each) => (each - mean) / deviation)};
    const {text, ...rest} = formula([normed], {...layer, type: "norm"}, at), before = said(get(normed, ...at));
    return {...rest, text: `(${said(value)} \u2212 ${said(mean)}) / ${said(deviation)} = ${before}, ${text}`};
  }

  const WAYS = {
    conv: sums, linear: sums, max_pool: pool, avg_pool: pool, flatten: moved, gather: moved, cat: moved,
    group_norm: groupNorm, matmul: product,
  };

  // What the layer at `place` made the value [map, row, column] of: parts and a bias, or a line of text; the total,
  // which is the value; and from which value of the layer before it came, if it is one.
  function explain(network, maps, place, at) {
    const layer = network.layers[place], way = WAYS[layer.type] || formula;
    const found = way(layer.inputs.map((before) => maps[before]), layer, at, maps[place]);
    return {place, at, layer, value: get(maps[place], ...at), ...found};
  }

  // The same, and before it the steps of the layers in `places` that led to the value.
  function trail(network, maps, place, at, places) {
    const step = explain(network, maps, place, at), [before, second] = step.layer.inputs;
    const goesOn = step.from && second === undefined && places.includes(before);
    return [...(goesOn ? trail(network, maps, before, step.from, places) : []), step];
  }

  // Whether a layer is the mean of each whole map.
  function isMean(network, maps, place) {
    const {type, inputs, kernel, padding} = network.layers[place] || {};
    if (type !== "avg_pool") return false;
    const {height, width} = maps[inputs[0]];
    return kernel[0] === height && kernel[1] === width && !padding[0] && !padding[1];
  }

  // For each position of the last maps, its vote for a digit; their mean is the logit. null if the network does not end
  // in a mean over positions, with or without a 1x1 convolution or a fully connected layer behind it.
  // Source: Zhou et al., arXiv:1512.04150 (class activation maps).
  function evidence(network, maps, digit) {
    const {layers} = network;
    const unflattened = (place) => place >= 0 && layers[place].type === "flatten" ? layers[place].inputs[0] : place;
    let place = unflattened(maps.length - 1), head = null;
    if (!isMean(network, maps, place)) [head, place] = [layers[place], unflattened(layers[place].inputs[0])];
    if (!isMean(network, maps, place) || (head && WAYS[head.type] !== sums)) return null;
    const source = maps[layers[place].inputs[0]], {channels, height, width} = source;
    if (height * width === 1 || (head && head.weight.length !== head.out * channels)) return null;
    const votes = Array.from({length: height * width}, (_, n) => {
      const at = [digit, ...unravel(n, width)];
      return head ? sums([source], {...head, stride: [1, 1], padding: [0, 0]}, at).total : get(source, ...at);
    });
    return {votes, height, width};
  }

  return {explain, trail, evidence, isMean, said};
})());
