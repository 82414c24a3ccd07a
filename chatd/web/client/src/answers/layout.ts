/** Where the parts of a chart lie, in px from its top left corner; the same for all it draws. */
import { channelsOf, type ChartPoint, type ChartSpec } from "./chartable";
import { fraction, labelStep, scaleFor, tickText, type Scale } from "./scales";
import { textPx } from "./widths";

/** A chart that stands is so high; one that lies has so much for each bar. Unit: px. */
const HEIGHT = 260;
const BAR_PX = 24;
/** Of the longest label at the side, so that the bars keep room. Unit: px. */
const SIDE_MAX = 180;
const MARGIN = { top: 12, right: 16, bottom: 28, left: 12 };
/** A type of 12 px is narrower than that of a table. */
const CHART_TYPE = 0.85;

/** A point, and the area in which a pointer means it. */
export interface Placed {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface AxisLabel {
  at: number;
  text: string;
}

export interface ChartLayout {
  width: number;
  height: number;
  plot: { left: number; right: number; top: number; bottom: number };
  lies: boolean;
  /** Where the value 0 is: bars begin there. */
  zero: number;
  marks: readonly Placed[];
  ticks: readonly AxisLabel[];
  labels: readonly AxisLabel[];
}

/** Lay out a chart in a width. */
export function layoutOf(
  spec: ChartSpec,
  points: readonly ChartPoint[],
  width: number,
): ChartLayout {
  const { lies } = channelsOf(spec);
  const values = points.map((point) => point.value);
  const scale = scaleFor(values, lies ? 5 : 4, spec.mark === "bar");
  return lies ? lying(points, scale, width) : standing(spec, points, scale, width);
}

/** The value behind a bar: as it was sent where that is short, else rounded. */
export function barText({ value, shown }: ChartPoint): string {
  if (shown.length <= 9) return shown;
  return new Intl.NumberFormat(undefined, {
    maximumSignificantDigits: 5,
    notation: Math.abs(value) >= 1e9 ? "compact" : "standard",
  }).format(value);
}

/** A label, cut so that it has this width. */
export function cutLabel(text: string, widthPx: number): string {
  if (typePx(text) <= widthPx) return text;
  const chars = Array.from(text);
  while (chars.length > 1 && typePx(`${chars.join("")}…`) > widthPx) chars.pop();
  return `${chars.join("").trimEnd()}…`;
}

function lying(points: readonly ChartPoint[], scale: Scale, width: number): ChartLayout {
  const side = Math.min(SIDE_MAX, width * 0.35, widest(points.map((point) => point.label)));
  const plot = {
    left: MARGIN.left + side + 8,
    right: width - 14 - widest(points.map((point) => barText(point))),
    top: MARGIN.top,
    bottom: MARGIN.top + points.length * BAR_PX,
  };
  const at = (value: number) => plot.left + fraction(scale, value) * (plot.right - plot.left);
  const zero = at(0);
  const marks = points.map((point, index) => {
    const [from, to] = [Math.min(zero, at(point.value)), Math.max(zero, at(point.value))];
    const y = plot.top + index * BAR_PX + 4;
    return { x: from, y, width: Math.max(1, to - from), height: BAR_PX - 8 };
  });
  return {
    width,
    height: plot.bottom + MARGIN.bottom,
    plot,
    lies: true,
    zero,
    marks,
    ticks: spread(scale, at),
    labels: points.map((point, index) => ({
      at: plot.top + (index + 0.5) * BAR_PX,
      text: cutLabel(point.label, side),
    })),
  };
}

function standing(
  spec: ChartSpec,
  points: readonly ChartPoint[],
  scale: Scale,
  width: number,
): ChartLayout {
  const step = stepOf(scale);
  const side = widest(scale.ticks.map((value) => tickText(value, step)));
  const plot = {
    left: MARGIN.left + side + 8,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: HEIGHT - MARGIN.bottom,
  };
  const at = (value: number) => plot.bottom - fraction(scale, value) * (plot.bottom - plot.top);
  const slot = (plot.right - plot.left) / Math.max(1, points.length);
  const centres = centresOf(spec, points, plot, slot);
  const zero = at(Math.max(scale.low, Math.min(scale.high, 0)));
  const bar = Math.min(64, Math.max(1, slot * 0.72));
  const marks = points.map((point, index) => {
    const centre = centres[index] ?? plot.left;
    const y = at(point.value);
    if (spec.mark === "line") return { x: centre, y, width: 0, height: 0 };
    const [from, to] = [Math.min(zero, y), Math.max(zero, y)];
    return { x: centre - bar / 2, y: from, width: bar, height: Math.max(1, to - from) };
  });
  const texts = points.map((point) => cutLabel(point.label, 110));
  return {
    width,
    height: HEIGHT,
    plot,
    lies: false,
    zero,
    marks,
    ticks: scale.ticks.map((value) => ({ at: at(value), text: tickText(value, step) })),
    labels: apart(centres, texts, labelStep(widest(texts), slot), plot),
  };
}

/** Where points stand side by side; in time, where their labels are times. */
function centresOf(
  spec: ChartSpec,
  points: readonly ChartPoint[],
  plot: ChartLayout["plot"],
  slot: number,
): number[] {
  const [first, last] = [points[0]?.at, points.at(-1)?.at];
  const inTime = spec.mark === "line" && first !== undefined && last !== undefined && last > first;
  return points.map((point, index) => {
    if (!inTime) return plot.left + (index + 0.5) * slot;
    const part = ((point.at ?? first) - first) / (last - first);
    return plot.left + slot / 2 + part * (plot.right - plot.left - slot);
  });
}

/** Those labels that have room: each n-th, and none that would touch the one before. */
function apart(
  centres: readonly number[],
  texts: readonly string[],
  every: number,
  plot: ChartLayout["plot"],
): AxisLabel[] {
  const shown: AxisLabel[] = [];
  let free = -Infinity;
  for (let index = 0; index < centres.length; index += every) {
    const text = texts[index] ?? "";
    const half = typePx(text) / 2;
    const at = Math.max(half + 2, Math.min(plot.right + MARGIN.right - half, centres[index] ?? 0));
    if (at - half < free) continue;
    shown.push({ at, text });
    free = at + half + 10;
  }
  return shown;
}

/** The ticks below bars that lie, without those that would touch. */
function spread(scale: Scale, at: (value: number) => number): AxisLabel[] {
  const step = stepOf(scale);
  const shown: AxisLabel[] = [];
  let free = -Infinity;
  for (const value of scale.ticks) {
    const text = tickText(value, step);
    const half = typePx(text) / 2;
    if (at(value) - half < free) continue;
    shown.push({ at: at(value), text });
    free = at(value) + half + 10;
  }
  return shown;
}

function stepOf(scale: Scale): number {
  const [first = 0, second = 1] = scale.ticks;
  return second - first || 1;
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, typePx(text)), 0);
}

function typePx(text: string): number {
  return textPx(text) * CHART_TYPE;
}
