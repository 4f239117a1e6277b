// Strokes as MNIST would hold them, and without what an eraser touched.
"use strict";

Object.assign(mnist, (() => {
  const SIDE = 28, BOX = 20, PEN = 2.4;  // pixels: MNIST's image, its box for the digit, the width of a stroke
  const SHEET = {side: 280, pen: 20};  // in its own units

  // Strokes, lists of [x, y] in any unit, as MNIST would hold them: the longer side in a box of 20 pixels, the
  // center of mass in the middle, all strokes equally wide, whatever the size of the drawing; but what is not longer
  // than `least` is a dot. null if there are none.
  function rasterize(strokes, least = 0) {
    const points = strokes.flat();
    if (!points.length) return null;
    const lows = [0, 1].map((i) => Math.min(...points.map((point) => point[i])));
    const longer = Math.max(...[0, 1].map((i) => Math.max(...points.map((point) => point[i])) - lows[i]));
    const scale = longer > least ? (BOX - PEN) / longer : 0;
    const scaled = strokes.map((stroke) => stroke.map((point) => point.map((value, i) => (value - lows[i]) * scale)));
    const [x, y] = middle(paint(scaled, 4, 4, 2 * SIDE), 2 * SIDE);
    return paint(scaled, 4 + SIDE / 2 - x, 4 + SIDE / 2 - y, SIDE);
  }

  function middle(image, side) {
    let x = 0, y = 0, sum = 0;
    image.forEach((value, i) => { x += value * (i % side); y += value * Math.floor(i / side); sum += value; });
    return [x / sum, y / sum];
  }

  // The strokes without what lies within `reach` of the way from one point to another; one may fall into pieces.
  function erase(strokes, from, to, reach) {
    return strokes.flatMap((stroke) => {
      const pieces = [[]];
      for (const point of dense(stroke, reach / 4))
        distance(...point, ...from, ...to) < reach ? pieces.push([]) : pieces[pieces.length - 1].push(point);
      return pieces.length > 1 ? pieces.filter((piece) => piece.length) : [stroke];
    });
  }

  // An image after a pen or an eraser went from one point of the sheet to another; itself if that changes nothing.
  function edit(image, from, to, isErasing) {
    const [[x0, y0], [x1, y1]] = [from, to].map((point) => point.map((value) => value * SIDE / SHEET.side - 0.5));
    const reach = SHEET.pen * SIDE / SHEET.side, pen = paint([[[x0, y0], [x1, y1]]], 0, 0, SIDE);
    const edited = image.map((value, i) => !isErasing ? Math.max(value, pen[i])
      : distance(i % SIDE, Math.floor(i / SIDE), x0, y0, x1, y1) < reach ? 0 : value);
    return edited.some((value, i) => value !== image[i]) ? edited : image;
  }

  // A stroke with points in between, so that none is farther than `step` from the next.
  function dense(stroke, step) {
    return stroke.flatMap((end, n) => {
      const start = stroke[n - 1] || end, length = Math.hypot(end[0] - start[0], end[1] - start[1]);
      const count = Math.max(1, Math.ceil(length / step));
      return Array.from({length: count}, (_, i) => start.map((value, j) => value + (end[j] - value) * (i + 1) / count));
    });
  }

  // How far (x, y) is from the line between (x0, y0) and (x1, y1).
  function distance(x, y, x0, y0, x1, y1) {
    const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
    const along = length ? Math.min(1, Math.max(0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length)) : 0;
    return Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0));
  }

  // Each pixel by its distance to the nearest stroke.
  function paint(strokes, dx, dy, side) {
    const image = new Float32Array(side * side);
    for (const stroke of strokes) stroke.forEach((end, n) => {
      const [x1, y1] = [end[0] + dx, end[1] + dy], before = stroke[n - 1] || end;
      const [x0, y0] = [before[0] + dx, before[1] + dy];
      const from = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - PEN));
      const to = (a, b) => Math.min(side - 1, Math.ceil(Math.max(a, b) + PEN));
      for (let y = from(y0, y1); y <= to(y0, y1); y++) for (let x = from(x0, x1); x <= to(x0, x1); x++) {
        const ink = PEN / 2 + 0.5 - distance(x, y, x0, y0, x1, y1);
        image[y * side + x] = Math.max(image[y * side + x], Math.min(1, Math.max(0, ink)));
      }
    });
    return image;
  }

  return {rasterize, erase, edit, dense, SHEET};
})());
