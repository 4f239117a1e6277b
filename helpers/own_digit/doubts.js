// What makes a drawing doubtful, by the rules of helpers/own_digit/photo.py: mnist.rules has its numbers and sentences.
"use strict";

Object.assign(mnist, (() => {
  const SIDE = 28, REST = 150, SLICE = 8;  // pixels; milliseconds until a drawing rests, and of work at a time
  const at = (image, x, y) => x >= 0 && y >= 0 && x < SIDE && y < SIDE ? image[y * SIDE + x] : 0;

  // The image turned, slanted, grown and moved, as helpers.data.random_warp does it for these draws from -1 to 1.
  function warp(image, [turn, slant, growth, across, down]) {
    const {degrees, shear, scale, shift} = mnist.rules.views;
    const angle = turn * degrees * Math.PI / 180, tan = Math.tan(slant * shear * Math.PI / 180);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)].map((value) => value / (1 + growth * scale));
    return Float32Array.from(image, (_, i) => {
      const x = i % SIDE - 13.5, y = Math.floor(i / SIDE) - 13.5;  // from the middle; sampling reads backwards
      const fromX = cos * x + (cos * tan - sin) * y + across * shift + 13.5, left = Math.floor(fromX), p = fromX - left;
      const fromY = sin * x + (sin * tan + cos) * y + down * shift + 13.5, top = Math.floor(fromY), q = fromY - top;
      return (1 - q) * ((1 - p) * at(image, left, top) + p * at(image, left + 1, top))
        + q * ((1 - p) * at(image, left, top + 1) + p * at(image, left + 1, top + 1));
    });
  }

  // How many parts there are, less the holes in them: by the corners of each square of four pixels.
  function euler(ink) {
    let sum = 0;
    for (let y = -1; y < SIDE; y++) for (let x = -1; x < SIDE; x++) {
      const [a, b, c, d] = [at(ink, x, y), at(ink, x + 1, y), at(ink, x, y + 1), at(ink, x + 1, y + 1)];
      sum += [0, 1, a === d ? -2 : 0, -1, 0][a + b + c + d];
    }
    return sum / 4;
  }

  // Points with the box of what is drawn there, and how much that is.
  function measured(points) {
    const {pen} = mnist.SHEET, all = [0, 1].map((i) => points.map((point) => point[i]));
    const [left, top] = all.map((values) => Math.min(...values) - pen / 2);
    const [right, bottom] = all.map((values) => Math.max(...values) + pen / 2);
    const ink = new Set(points.map((point) => point.map((value) => Math.round(2 * value / pen)).join())).size;
    return {points, ink, left, right, top, bottom, height: bottom - top, size: Math.max(right - left, bottom - top)};
  }

  // The parts of a drawing: strokes that touch are one.
  function partsOf(strokes) {
    const {pen} = mnist.SHEET, isNear = ([x, y], [a, b]) => (a - x) ** 2 + (b - y) ** 2 < pen ** 2;
    return strokes.map((stroke) => mnist.dense(stroke, pen / 2)).reduce((parts, points) => {
      const touching = parts.filter((part) => part.some((p) => points.some((q) => isNear(p, q))));
      return [...parts.filter((part) => !touching.includes(part)), [...touching.flat(), ...points]];
    }, []).map(measured);
  }

  // Whether a part is a stroke of the digit: near, and not another digit beside it.
  function belongs(part, digit) {
    const longer = Math.max(digit.size, part.size), [lower, higher] = [part.height, digit.height].sort((a, b) => a - b);
    const below = Math.max(part.top - digit.bottom, digit.top - part.bottom) / longer;
    const beside = Math.max(part.left - digit.right, digit.left - part.right) / longer;
    const [down, across] = part.size > 0.15 * longer ? [0.33, 0.3] : [0.06, 0.06];
    const isDigit = beside > 0.05 && lower > 0.75 * higher;
    return !isDigit && part.size > 0.05 * longer && below < down && beside < across;
  }

  // A sentence for what lies beside the digit, the heaviest part near the middle with what belongs to it.
  function beside(strokes) {
    const {side} = mnist.SHEET, off = (low, high) => Math.abs(low + high - side) / 2 / side;
    const weight = (part) => part.ink * (1 - Math.max(off(part.left, part.right), off(part.top, part.bottom)));
    let [digit, ...rest] = partsOf(strokes).sort((a, b) => weight(b) - weight(a)), joined = rest;
    while (rest.length && joined.length) {
      joined = rest.filter((part) => belongs(part, digit));
      rest = rest.filter((part) => !joined.includes(part));
      digit = measured([digit, ...joined].flatMap((part) => part.points));
    }
    if (rest.some((part) => part.height > 0.6 * digit.height && part.ink > 0.25 * digit.ink)) return [mnist.rules.two];
    const isNear = ({top, bottom, left, right}) => digit.size
      > Math.max(top - digit.bottom, digit.top - bottom, left - digit.right, digit.left - right);
    const isMark = (part) => part.size > 0.3 * digit.size && part.ink > (isNear(part) ? 0.15 : 0.5) * digit.ink;
    return rest.some(isMark) ? [mnist.rules.mark] : [];
  }

  // A sentence for each thing that makes the drawing doubtful; the score is above 0 if it looks like no digit.
  function doubts(image, strokes, score) {
    const {rules} = mnist, ink = Array.from(image, (value) => Math.round(255 * value) > rules.dark ? 1 : 0);
    const isFull = ink.reduce((a, b) => a + b) > rules.most || euler(ink) < rules.euler;
    return [...beside(strokes), ...(isFull ? [rules.strokes] : score > 0 ? [rules.none] : [])];
  }

  // Once a drawing rests, tells its doubts and the mean of what the network reads of it and of views of it; neither, if
  // there is no network. Returns what stops that.
  function later(network, image, strokes, tell) {
    const {draws, scribble} = mnist.rules, count = draws.length + 1, sums = new Array(10).fill(0);
    const last = (network, view) => mnist.forward(network, view).pop().data;
    let done = 0, score = 0, timer = setTimeout(network ? work : () => tell([]), REST);
    function work() {
      for (const start = Date.now(); done < count && Date.now() - start < SLICE; done++) {
        const view = done ? warp(image, draws[done - 1]) : image;
        score += last(scribble, view)[0];
        mnist.softmax(last(network, view)).forEach((share, i) => { sums[i] += share / count; });
      }
      if (done < count) timer = setTimeout(work);
      else tell(doubts(image, strokes || [], score), sums);
    }
    return () => clearTimeout(timer);
  }

  return {warp, euler, beside, later};
})());
