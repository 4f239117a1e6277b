// The panel of the page: the arithmetic behind a value, the evidence for a digit, or the networks side by side.
"use strict";

mnist.panel = (root, close) => {
  const {make, said} = mnist, PURPLE = [45, 0, 75], ORANGE = [127, 59, 8];  // of the ends, as in the notebooks

  // The color of a value from -1 to 1 whose square root is shown, so that small ones are seen: zero is white.
  function color(share) {
    const strength = Math.sqrt(Math.min(1, Math.abs(share))), end = share > 0 ? PURPLE : ORANGE;
    return end.map((value) => Math.round(255 + (value - 255) * strength));
  }

  // Adds a text; in sums, what is negative is taken away.
  const write = (tag, parent, text, className = "") =>
    make(tag, parent, {className, textContent: text.replace(/\+ \u2212/g, "\u2212 ")});

  function title(text, closes = true) {
    root.replaceChildren();
    const line = make("div", root, {className: "title"});
    write("h2", line, text);
    if (closes) make("button", line, {type: "button", textContent: "Close", onclick: close});
  }

  function grid(parent, values, columns, label) {
    const box = make("span", parent, {className: "grid", role: "img",
                                      "aria-label": `${label}: ${values.map(said).join(", ")}`});
    box.style.gridTemplateColumns = `repeat(${columns}, auto)`;
    const top = Math.max(1e-9, ...values.map(Math.abs));
    for (const value of values) {
      const back = color(value / top), [red, green, blue] = back.map((part) => (part / 255) ** 2.2);
      const {style} = write("span", box, value ? value.toFixed(2).replace("-", "\u2212") : "0");
      style.background = `rgb(${back})`;
      style.color = 0.21 * red + 0.72 * green + 0.07 * blue < 0.178 ? "#fff" : "#000";  // which is read on it
    }
  }

  // The strongest parts of a sum, each as patch x kernel = products, and the rest in a line.
  function sums(parent, {parts, bias, columns, total}) {
    const ordered = [...parts].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
    const shown = ordered.slice(0, [8, 3, 3][columns - 1] || 1), rest = ordered.slice(shown.length);
    const line = make("div", parent, {className: "sums"});
    for (const {map, patch, kernel, sum} of shown) {
      const item = make("span", line, {className: "product"});
      write("span", item, parts.length > 1 ? `map ${map + 1}` : "image", "quiet");
      grid(item, patch, columns, "patch");
      write("span", item, "×");
      grid(item, kernel, columns, "kernel");
      write("span", item, "=");
      grid(item, patch.map((value, k) => value * kernel[k]), columns, "products");
      write("span", item, `sum ${said(sum)}`);
    }
    const others = said(rest.reduce((all, {sum}) => all + sum, 0));
    write("p", parent, [
      ...shown.map(({sum}) => said(sum)), ...(rest.length ? [`${others} from ${rest.length} other maps`] : []),
      ...(bias ? [`bias ${said(bias)}`] : [])].join(" + ") + ` = ${said(total)}`);
  }

  // How a value came about: its steps, of `mnist.trail`, each with a name.
  function value(heading, steps, turned) {
    title(`${heading}: ${said(steps[steps.length - 1].value)}`);
    if (turned) write("p", root, turned, "quiet");
    const list = make("ol", root);
    for (const step of steps) {
      const item = write("li", list, step.parts ? `${step.name}:` : `${step.name}: ${step.text} = ${said(step.total)}`);
      if (step.parts) sums(item, step);
    }
  }

  // Why a digit got its probability: the votes of all positions, the softmax, and what it would be without a stroke.
  function digit(label, logits, found, without) {
    const powers = Array.from(logits, (logit) => Math.exp(logit)), logit = said(logits[label]);
    const share = mnist.percent(mnist.softmax(logits)[label]), shown = Array.from(logits, (each) => `e^${said(each)}`);
    title(`Why ${share} for ${label}?`);
    if (found) {
      const line = make("div", root, {className: "sums"});
      write("span", line, "Votes of the positions:");
      grid(line, found.votes, found.width, "votes");
      write("span", line,
            `their mean is the logit, ${logit}. Purple on the digit speaks for ${label}, orange against it.`);
    } else write("p", root, `The logit is ${logit}. This network does not end in a mean over positions, so no map `
      + "says where the evidence lies.");
    const [power, all] = [powers[label], powers.reduce((a, b) => a + b)].map((number) => number.toPrecision(4));
    write("p", root, `Softmax: ${shown[label]} / (${shown.join(" + ")}) = ${power} / ${all} = ${share}`);
    for (const line of without) write("p", root, line);
  }

  // What each network reads, side by side.
  function compare(rows, hint) {
    title("The same drawing, read by each network", false);
    const table = make("table", root);
    [["network", "parameters", "mean accuracy", "reads"], ...rows].forEach((cells, line) => {
      const row = make("tr", table);
      cells.forEach((text, column) => write(line && column ? "td" : "th", row, text));
    });
    write("p", root, hint, "quiet");
  }

  return {value, digit, compare, color};
};
