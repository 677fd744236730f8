// Lines over months, by uPlot. A picture for eyes: whoever draws one gives its figures as a table, too.

const PALETTE = ["--rock", "--dust", "--pine", "--moving", "--lit", "--soft", "--red"];
const HEIGHT_PX = 220;

/** @param {{title: string, labels: string[], lines: {name: string, values: (number | null)[]}[]}} of @returns {() => void} takes it away */
export function drawLines(place, { title, labels, lines }) {
  const colour = (name) => getComputedStyle(place).getPropertyValue(name).trim();
  const [ink, grid] = [colour("--soft"), colour("--line")];
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: `12px ${getComputedStyle(place).fontFamily}` };
  const width = () => Math.max(place.clientWidth, 200);
  const plot = new uPlot(
    {
      width: width(),
      height: HEIGHT_PX,
      scales: { x: { time: false, range: [-0.3, labels.length - 0.7] }, y: { range: (_plot, _low, high) => [0, Math.max(high, 1)] } },
      axes: [
        { ...axis, splits: () => labels.map((_label, at) => at), values: (_plot, splits) => splits.map((at) => labels[at]) },
        { ...axis, size: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 10_000] },
      ],
      cursor: { show: false },
      legend: { live: false, markers: { width: 3 } },
      series: [{}, ...lines.map(({ name }, at) => ({ label: name, stroke: colour(PALETTE[at % PALETTE.length]), width: 2, dash: at >= PALETTE.length ? [6, 4] : undefined, points: { show: true, size: 6 } }))],
    },
    [labels.map((_label, at) => at), ...lines.map(({ values }) => values)],
    place,
  );
  plot.root.setAttribute("role", "img");
  plot.root.setAttribute("aria-label", title);
  const watch = new ResizeObserver(() => plot.setSize({ width: width(), height: HEIGHT_PX }));
  watch.observe(place);
  return () => { watch.disconnect(); plot.destroy(); };
}
