// The panel of the page: the arithmetic behind a value, the evidence for a digit, or the networks side by side.
"use strict";

mnist.panel = (root) => {
  const {make, said} = mnist, SHOWN = 3;  // maps whose products are shown; the others are summed up
  const PURPLE = [45, 0, 75], ORANGE = [127, 59, 8];  // of the largest and the smallest value, as in the notebooks

  // The color of a value from -1 to 1 whose square root is shown, so that small ones are seen: zero is white.
  function color(share) {
    const strength = Math.sqrt(Math.min(1, Math.abs(share))), end = share > 0 ? PURPLE : ORANGE;
    return end.map((value) => Math.round(255 + (value - 255) * strength));
  }

  function grid(parent, values, columns, label) {
    const box = make("span", parent, {className: "grid", role: "img", "aria-label": `${label}: ${values.map(said).join(", ")}`});
    box.style.gridTemplateColumns = `repeat(${columns}, auto)`;
    const top = Math.max(1e-9, ...values.map(Math.abs));
    for (const value of values) {
      const back = color(value / top), cell = make("span", box, {textContent: value ? value.toFixed(2).replace("-", "\u2212") : "0"});
      const [red, green, blue] = back.map((part) => (part / 255) ** 2.2), isDark = 0.21 * red + 0.72 * green + 0.07 * blue < 0.178;
      Object.assign(cell.style, {background: `rgb(${back})`, color: isDark ? "#fff" : "#000"});
    }
  }

  function title(text, ...buttons) {
    root.replaceChildren();
    const line = make("div", root, {className: "title"});
    make("h2", line, {textContent: text});
    const side = make("span", line);
    for (const [textContent, onclick] of buttons) make("button", side, {type: "button", textContent, onclick});
  }

  // The strongest parts of a sum, each as patch x kernel = products, and the rest in a line.
  function sums(parent, {parts, bias, columns, total}) {
    const ordered = [...parts].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
    const shown = ordered.slice(0, columns === 1 ? 8 : columns > 3 ? 1 : SHOWN), rest = ordered.slice(shown.length);
    const line = make("div", parent, {className: "sums"});
    for (const {map, patch, kernel, sum} of shown) {
      const item = make("span", line, {className: "product"}), name = parts.length > 1 ? `map ${map + 1}` : "image";
      make("span", item, {textContent: columns === 1 ? `${name}:` : name, className: "quiet"});
      if (columns === 1) make("span", item, {textContent: `${said(patch[0])} \u00d7 ${said(kernel[0])}`});
      else [[patch, "patch"], [kernel, "\u00d7 kernel"], [patch.map((x, k) => x * kernel[k]), "= products"]].forEach(
        ([values, label], k) => { if (k) make("span", item, {textContent: "\u00d7="[k - 1]}); grid(item, values, columns, label); });
      make("span", item, {textContent: columns === 1 ? `= ${said(sum)}` : `sum ${said(sum)}`});
    }
    const others = rest.length ? ` + ${said(rest.reduce((all, {sum}) => all + sum, 0))} from ${rest.length} other maps` : "";
    const text = `${shown.map(({sum}) => said(sum)).join(" + ")}${others}${bias ? ` + bias ${said(bias)}` : ""} = ${said(total)}`;
    make("p", parent, {textContent: text.replace(/\+ \u2212/g, "\u2212 ")});
  }

  // How a value came about: its steps, of `mnist.trail`, each with a name.
  function value(heading, steps, names, turned, ...buttons) {
    title(`${heading}: ${said(steps[steps.length - 1].value)}`, ...buttons);
    if (turned) make("p", root, {textContent: turned, className: "quiet"});
    const list = make("ol", root);
    steps.forEach((step, i) => {
      const item = make("li", list);
      make("span", item, {textContent: `${names[i]}: `});
      if (step.parts) sums(item, step);
      else make("span", item, {textContent: `${step.text} = ${said(step.total)}`.replace(/\+ \u2212/g, "\u2212 ")});
    });
  }

  // Why a digit got its probability: the votes of all positions, the softmax, and what it would be without a stroke.
  function digit(label, logits, found, without, ...buttons) {
    const scores = mnist.softmax(logits), powers = Array.from(logits, (logit) => Math.exp(logit));
    title(`Why ${mnist.percent(scores[label])} for ${label}?`, ...buttons);
    if (found) {
      const line = make("div", root, {className: "sums"});
      make("span", line, {textContent: "Votes of the positions:"});
      grid(line, Array.from(found.votes), found.width, "votes");
      make("span", line, {textContent: `their mean is the logit, ${said(logits[label])}. Purple on the digit speaks for ${label}, orange against it.`});
    } else make("p", root, {textContent: `The logit is ${said(logits[label])}. This network does not end in a mean over positions, so no map says where the evidence lies.`});
    const shown = powers.map((power, i) => `e^${said(logits[i])}`);
    make("p", root, {textContent: `Softmax: ${shown[label]} / (${shown.join(" + ")}) = ${powers[label].toPrecision(4)} / ${
      powers.reduce((a, b) => a + b).toPrecision(4)} = ${mnist.percent(scores[label])}`});
    for (const line of without) make("p", root, {textContent: line});
  }

  // What each network reads, side by side.
  function compare(rows, hint) {
    title("The same drawing, read by each network");
    const table = make("table", root), head = make("tr", make("thead", table)), body = make("tbody", table);
    for (const textContent of ["network", "parameters", "mean accuracy", "reads"]) make("th", head, {textContent, scope: "col"});
    for (const cells of rows) {
      const row = make("tr", body);
      cells.forEach((textContent, i) => make(i ? "td" : "th", row, i ? {textContent} : {textContent, scope: "row"}));
    }
    make("p", root, {textContent: hint, className: "quiet"});
  }

  return {value, digit, compare, color};
};
