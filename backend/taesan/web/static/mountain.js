// The mountain: a heap of specks, each standing for the same number of payments. What is settled is rock, what waits for
// its batch is gold dust on the slopes, and what travels in a batch is in between. The places are the same on every load, so the heap only ever grows outwards.

export const VIEW = { width: 720, height: 408, ground: 404, centre: 360, halfWidth: 345, summit: 372 };

// How many specks the whole mountain takes: a young hub's are larger, so that its first payments make a sight too.
const CAPACITIES = [200, 600, 1500];

// The skyline of the full mountain: x from -1 to 1, y from 0 to 1. Seen from the middle of its foot every ray meets it
// once, so a smaller copy always fits inside: that is what lets the heap grow and keep its shape.
const SKYLINE = [
  [-1, 0], [-0.86, 0.09], [-0.74, 0.2], [-0.62, 0.26], [-0.5, 0.45], [-0.44, 0.49], [-0.35, 0.48], [-0.24, 0.68],
  [-0.17, 0.77], [-0.11, 0.93], [-0.05, 1], [0.03, 0.92], [0.1, 0.84], [0.2, 0.65], [0.28, 0.6], [0.36, 0.5],
  [0.45, 0.5], [0.56, 0.37], [0.66, 0.3], [0.78, 0.16], [0.9, 0.08], [1, 0],
];

// Each peak's ridge from the top down: left of it lies the lit face, right of it the shaded one.
const PEAKS = [
  { until: -0.3, ridge: [[0.49, -0.44], [0.3, -0.4], [0.16, -0.47], [0, -0.4]] },
  { until: 0.32, ridge: [[1, -0.05], [0.8, 0.02], [0.62, -0.04], [0.4, 0.07], [0.2, 0], [0, 0.1]] },
  { until: 2, ridge: [[0.5, 0.44], [0.32, 0.5], [0.16, 0.45], [0, 0.53]] },
];

/** A small seeded generator (mulberry32): the same specks for everyone. */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How large the mountain must be, from 0 to 1, for the point to lie on its skyline; more than 1 is outside. */
function reach(x, y) {
  for (let i = 1; i < SKYLINE.length; i++) {
    const [ax, ay] = SKYLINE[i - 1];
    const [bx, by] = SKYLINE[i];
    if (ax * y - ay * x > 0 || x * by - y * bx > 0) continue; // the ray to the point passes beside this stretch
    return (x * (by - ay) - y * (bx - ax)) / (ax * by - ay * bx);
  }
  return 2;
}

function shade(x, y) {
  const { ridge } = PEAKS.find((peak) => x < peak.until);
  let at = ridge[0][1];
  for (let i = 1; i < ridge.length; i++) {
    const [[top, from], [bottom, to]] = [ridge[i - 1], ridge[i]];
    if (y <= top && y >= bottom) at = from + ((to - from) * (top - y)) / (top - bottom);
  }
  return x - at; // negative: lit
}

/** All places for so many specks, from the foot's middle outwards. */
function placesFor(capacity) {
  const random = seeded(20261122);
  const area = SKYLINE.slice(1).reduce((sum, [x, y], i) => sum + ((x - SKYLINE[i][0]) * (y + SKYLINE[i][1])) / 2, 0);
  const spacing = Math.sqrt((area * VIEW.halfWidth * VIEW.summit * 2) / Math.sqrt(3) / capacity) * 0.98;
  const found = [];
  for (let row = 0; row * spacing * 0.866 < VIEW.summit; row++) {
    for (let left = -VIEW.halfWidth - spacing; left < VIEW.halfWidth; left += spacing) {
      const px = left + (row % 2) * spacing * 0.5 + (random() - 0.5) * spacing * 0.7;
      const py = row * spacing * 0.866 + spacing * 0.35 + (random() - 0.5) * spacing * 0.6;
      const size = reach(px / VIEW.halfWidth, py / VIEW.summit);
      if (size <= 1.01) found.push({ px, py, size: size + (random() - 0.5) * 0.012, grain: random(), dither: random() });
    }
  }
  return found.sort((a, b) => a.size - b.size).slice(0, capacity);
}

const known = new Map();

function places(capacity) {
  if (!known.has(capacity)) known.set(capacity, placesFor(capacity));
  return known.get(capacity);
}

/** What a mountain of so many payments is drawn with: how many one speck stands for (1, 2, 5, 10, …), how many specks fill it. */
export function scaleFor(payments) {
  const most = CAPACITIES.at(-1);
  for (let decade = 1; ; decade *= 10) {
    for (const step of [1, 2, 5]) {
      const unit = step * decade;
      const capacity = CAPACITIES.find((size) => payments / unit <= size && (unit === 1 || size === most));
      if (capacity) return { unit, capacity };
    }
  }
}

/** By how much specks are larger than those of the fullest mountain. */
export const grainFor = (capacity) => (CAPACITIES.at(-1) / capacity) ** 0.46;

/** `count` payments as a number of specks; even one payment shows. */
export const specksFor = (count, unit) => (count > 0 ? Math.max(1, Math.round(count / unit)) : 0);

/** Where the speck with this number lies, in the drawing's own units. */
export function placeOf(index, capacity) {
  const place = places(capacity)[Math.min(index, capacity - 1)];
  return { x: VIEW.centre + place.px, y: VIEW.ground - place.py };
}

/**
 * The paths that draw a heap: `d` for each class of speck. A path of dots is far lighter than an element for each.
 *
 * @param {{settled: number, moving: number, waiting: number}} specks from the core outwards
 * @param {number} capacity how many fill the mountain
 * @param {number} shown how many of them lie there already
 */
export function heap({ settled, moving, waiting }, capacity, shown = Infinity) {
  const paths = {};
  const found = places(capacity);
  const total = Math.min(settled + moving + waiting, shown, found.length);
  const scale = Math.sqrt(total / found.length) || 1;
  for (let i = 0; i < total; i++) {
    const { px, py, grain, dither } = found[i];
    let kind = i < settled + moving ? "moving" : "dust";
    if (i < settled) {
      const side = shade(px / VIEW.halfWidth / scale, py / VIEW.summit / scale) * 5 + (dither - 0.5) * 1.1;
      kind = side < -0.3 ? "lit" : side < 0.25 ? "rock" : "shaded";
    }
    const name = `${kind}-${grain < 0.3 ? 0 : grain < 0.75 ? 1 : 2}`;
    paths[name] = `${paths[name] ?? ""}M${(VIEW.centre + px).toFixed(1)} ${(VIEW.ground - py).toFixed(1)}h0`;
  }
  return paths;
}

/** The skyline of the full mountain as a path: what is still to be gathered. */
export function skyline() {
  return SKYLINE.map(([x, y], i) => {
    const at = `${(VIEW.centre + x * VIEW.halfWidth).toFixed(1)} ${(VIEW.ground - y * VIEW.summit).toFixed(1)}`;
    return `${i ? "L" : "M"}${at}`;
  }).join("");
}
