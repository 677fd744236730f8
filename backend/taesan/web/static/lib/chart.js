// Charts by uPlot, each with a sentence and a table for whom a picture tells nothing.

import { html, nothing, render } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";

const { uPlot } = globalThis; // of templates/_chart.html
const HEIGHT_PX = 180;
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const observers = new WeakMap();

/**
 * @param {HTMLElement} place what it stands in; drawn anew each time
 * @param {{title: string, sentence?: string, at: string[], series: {label: string, values: (number | null)[], missing?: string[], color?: string, bars?: boolean}[],
 *   tell: (value: number) => string, label?: string}} what `at`: what each point is called, in order; `label`: what they are;
 *   `missing`: what the table has where there is no value; `color`: a variable of style.css. Numbers here are for pixels: exact amounts are told by `tell` of whoever has them
 */
export function chart(place, { title, sentence, at, series, tell, label = "" }) {
  render(
    html`<figure class="chart" role="group" aria-label=${title}>
      <div class="plot" aria-hidden="true"></div>
      ${series.length > 1 ? html`<ul class="key-of-lines" aria-hidden="true">${series.map((one) => html`<li><svg width="12" height="12"><rect width="12" height="12" rx="3" fill=${`var(${one.color ?? "--pine"})`}></rect></svg> ${one.label}</li>`)}</ul>` : nothing}
      ${sentence ? html`<figcaption>${sentence}</figcaption>` : nothing}
      <details>
        <summary>${_("As a table")}</summary>
        <table>
          <thead><tr><th scope="col">${label}</th>${series.map((one) => html`<th scope="col" class="number">${one.label}</th>`)}</tr></thead>
          <tbody>${at.map((name, row) => html`<tr><th scope="row">${name}</th>${series.map((one) => html`<td class="number" data-label=${one.label}>${one.values[row] == null ? (one.missing?.[row] ?? "–") : tell(one.values[row])}</td>`)}</tr>`)}</tbody>
        </table>
      </details>
    </figure>`,
    place,
  );
  draw(place.querySelector(".plot"), at, series, tell);
}

function draw(plot, at, series, tell) {
  plot.replaceChildren();
  const soft = color("--soft");
  const grid = { stroke: color("--line"), width: 1 };
  const shown = series.map((one) => ({
    label: one.label,
    stroke: color(one.color ?? "--pine"),
    fill: one.bars ? color(one.color ?? "--pine") : undefined,
    width: 2,
    paths: one.bars ? uPlot.paths.bars({ size: [0.7, 40] }) : undefined,
    points: { show: !one.bars && at.length < 40, size: 6 },
  }));
  const axis = { stroke: soft, grid, ticks: { show: false }, font: "12px system-ui" };
  const made = new uPlot(
    {
      width: plot.clientWidth || 300,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: [-0.6, at.length - 0.4] }, y: { range: (_self, low, high) => [Math.min(0, low), high > 0 ? high * 1.1 : 1] } },
      axes: [
        { ...axis, values: (_self, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? (at[tick] ?? "") : "")), space: 70 },
        { ...axis, values: (_self, ticks) => ticks.map(tell), size: 64 },
      ],
      series: [{}, ...shown],
    },
    [at.map((_name, row) => row), ...series.map((one) => one.values)],
    plot,
  );
  observers.get(plot)?.disconnect();
  const observer = new ResizeObserver(() => plot.clientWidth && made.setSize({ width: plot.clientWidth, height: HEIGHT_PX }));
  observer.observe(plot);
  observers.set(plot, observer);
}
