// The panel of the page: the arithmetic behind a value, the evidence for a digit, or the networks side by side.
"use strict";

mnist.panel = (root, close) => {
  const {said} = mnist, CLOSE = ["Close", close];
  const PURPLE = [45, 0, 75], ORANGE = [127, 59, 8];  // of the ends, as in the notebooks

  // Markup, in which all values are plain text but those that are markup themselves.
  const html = (texts, ...values) => ({markup: texts.reduce((all, text, i) => all + escaped(values[i - 1]) + text)});
  const escaped = (value) => Array.isArray(value) ? value.map(escaped).join("")
    : value.markup ?? String(value).replace(/[&<"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
  const signed = (sum) => sum.replace(/\+ \u2212/g, "\u2212 ");  // what is negative is taken away

  // The buttons, [text, what it does], keep the focus where the text of the panel is another one.
  function show(title, body, ...buttons) {
    const all = () => [...root.querySelectorAll("button")], focused = all().indexOf(document.activeElement);
    const line = buttons.map(([text]) => html` <button type="button">${text}</button>`);
    root.innerHTML = html`<div class="title"><h2>${title}</h2><span>${line}</span></div>${body}`.markup;
    all().forEach((button, i) => { button.onclick = buttons[i][1]; });
    if (all()[focused]) all()[focused].focus();
  }

  // The color of a value from -1 to 1 whose square root is shown, so that small ones are seen: zero is white.
  function color(share) {
    const strength = Math.sqrt(Math.min(1, Math.abs(share))), end = share > 0 ? PURPLE : ORANGE;
    return end.map((value) => Math.round(255 + (value - 255) * strength));
  }

  function cell(value, top) {
    const back = color(value / top), [red, green, blue] = back.map((part) => (part / 255) ** 2.2);
    const ink = 0.21 * red + 0.72 * green + 0.07 * blue < 0.178 ? "#fff" : "#000";  // which is read on it
    const text = value ? value.toFixed(2).replace("-", "\u2212") : "0";
    return html`<span style="background: rgb(${back.join()}); color: ${ink}">${text}</span>`;
  }

  function grid(values, columns, label) {
    const top = Math.max(1e-9, ...values.map(Math.abs)), cells = values.map((value) => cell(value, top));
    return html`<span class="grid" style="grid-template-columns: repeat(${columns}, auto)" role="img"
      aria-label="${label}: ${values.map(said).join(", ")}">${cells}</span>`;
  }

  // The strongest parts of a sum, each as patch x kernel = products, and the rest in a line.
  function sums({parts, bias, columns, total}) {
    const ordered = [...parts].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
    const shown = ordered.slice(0, [8, 3, 3][columns - 1] || 1), rest = ordered.slice(shown.length);
    const items = shown.map(({map, patch, kernel, sum}) => html`<span class="product">
      <span class="quiet">${parts.length > 1 ? `map ${map + 1}` : "image"}</span>
      ${grid(patch, columns, "patch")} × ${grid(kernel, columns, "kernel")} =
      ${grid(patch.map((value, k) => value * kernel[k]), columns, "products")} sum ${said(sum)}</span>`);
    const terms = shown.map(({sum}) => said(sum));
    if (rest.length) terms.push(`${said(rest.reduce((all, {sum}) => all + sum, 0))} from ${rest.length} other maps`);
    if (bias) terms.push(`bias ${said(bias)}`);
    return html`<div class="sums">${items}</div>${signed(`${terms.join(" + ")} = ${said(total)}`)}`;
  }

  // How a value came about: its steps, of `mnist.trail`, each with a name.
  function value(heading, steps, turned, ...buttons) {
    const items = steps.map((step) => html`<li>${step.name}: ${
      step.parts ? sums(step) : signed(`${step.text} = ${said(step.total)}`)}</li>`);
    show(`${heading}: ${said(steps[steps.length - 1].value)}`, html`<p class="quiet">${turned}</p><ol>${items}</ol>`,
         ...buttons, CLOSE);
  }

  // Why a digit got its probability: the votes of all positions, the softmax, and what it would be without a stroke.
  function digit(label, logits, found, without) {
    const top = Math.max(...logits), less = Math.abs(top) > 700 ? top : 0;  // where e^x is infinite, or all are 0
    const rest = Array.from(logits, (x) => x - less), powers = rest.map(Math.exp);
    const shown = rest.map((x) => `e^${said(x)}`), moved = less ? `, each logit less ${said(less)}` : "";
    const [power, all] = [powers[label], powers.reduce((a, b) => a + b)].map((number) => number.toPrecision(4));
    const share = mnist.percent(mnist.softmax(logits)[label]), logit = said(logits[label]);
    const votes = found ? html`<div class="sums">Votes of the positions: ${grid(found.votes, found.width, "votes")}
      their mean is the logit, ${logit}. Purple on the digit speaks for ${label}, orange against it.</div>`
      : html`<p>The logit is ${logit}. This network does not end in a mean over positions, so no map says where the
      evidence lies.</p>`;
    show(`Why ${share} for ${label}?`, html`${votes}
      <p>Softmax${moved}: ${shown[label]} / (${shown.join(" + ")}) = ${power} / ${all} = ${share}</p>
      ${without.map((line) => html`<p>${line}</p>`)}`, CLOSE);
  }

  // What each network reads, side by side.
  function compare(rows, hint) {
    const line = ([name, ...cells]) => html`<tr><th>${name}</th>${cells.map((text) => html`<td>${text}</td>`)}</tr>`;
    show("The same drawing, read by each network", html`<table>
      <tr><th>network</th><th>parameters</th><th>mean accuracy</th><th>reads</th></tr>${rows.map(line)}</table>
      <p class="quiet">${hint}</p>`);
  }

  return {value, digit, compare, color};
};
