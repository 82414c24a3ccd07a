/**
 * Where the parts of a chart lie, in px from its top left corner; everything in a chart is drawn by
 * it.
 */
import { channelsOf, type ChartPoint, type ChartSpec } from "./chartable";
import { roundTicks, shortTimes, zoneAhead } from "./calendar";
import { fraction, labelStep, scaleFor, tickTexts, type Scale } from "./scales";
import { textPx } from "./widths";

/** A chart that stands is so high; one that lies has so much for each bar. Unit: px. */
const HEIGHT = 260;
const BAR_PX = 24;
/** The widest that a label at the side may be, so that the bars keep room. Unit: px. */
const SIDE_MAX = 180;
export const AXIS_PX = 28;
const MARGIN = { top: 12, right: 16, bottom: AXIS_PX, left: 12 };
/** Between two labels, at least; and of one that is no time. Unit: px. */
const GAP = 10;
const LABEL_MAX = 110;
/** Months and years differ in length, yet count as evenly spaced. */
const EVEN = 1.15;
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
  /** Without the axis below bars that lie, which stays in sight while they are scrolled. */
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

/**
 * The value beside a bar, in the form of its axis: with the digits that were sent if they are few,
 * else rounded.
 */
export function barText({ value, shown }: ChartPoint): string {
  if (shown.length <= 9) {
    const plain = /^-?(?:0|[1-9]\d*)(?:\.(\d+))?$/.exec(shown);
    const digits = plain?.[1]?.length ?? 0;
    return plain === null
      ? shown
      : value.toLocaleString(undefined, {
          minimumFractionDigits: digits,
          maximumFractionDigits: digits,
        });
  }
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
    height: plot.bottom,
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
  const tickLabels = tickTexts(scale.ticks);
  const side = widest(tickLabels);
  const plot = {
    left: MARGIN.left + side + 8,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: HEIGHT - MARGIN.bottom,
  };
  const at = (value: number) => plot.bottom - fraction(scale, value) * (plot.bottom - plot.top);
  const slot = (plot.right - plot.left) / Math.max(1, points.length);
  const time = timeOf(spec, points);
  const place = (moment: number) =>
    plot.left + slot / 2 + timePart(time, moment) * (plot.right - plot.left - slot);
  const centres = points.map((point, index) =>
    time === undefined ? plot.left + (index + 0.5) * slot : place(point.at ?? time.first),
  );
  const zero = at(Math.max(scale.low, Math.min(scale.high, 0)));
  const bar = Math.min(64, Math.max(1, slot * 0.72));
  const marks = points.map((point, index) => {
    const centre = centres[index] ?? plot.left;
    const y = at(point.value);
    if (spec.mark === "line") return { x: centre, y, width: 0, height: 0 };
    const [from, to] = [Math.min(zero, y), Math.max(zero, y)];
    return { x: centre - bar / 2, y: from, width: bar, height: Math.max(1, to - from) };
  });
  return {
    width,
    height: HEIGHT,
    plot,
    lies: false,
    zero,
    marks,
    ticks: scale.ticks.map((value, index) => ({ at: at(value), text: tickLabels[index] ?? "" })),
    labels: labelsOf(points, centres, time, place, width),
  };
}

/** The span of time that a line covers, if its labels are times. Unit: ms since 1970. */
interface Time {
  first: number;
  last: number;
}

function timeOf(spec: ChartSpec, points: readonly ChartPoint[]): Time | undefined {
  const [first, last] = [points[0]?.at, points.at(-1)?.at];
  const isInTime = spec.mark === "line" && first !== undefined && last !== undefined;
  return isInTime && last > first ? { first, last } : undefined;
}

function timePart(time: Time | undefined, at: number): number {
  return time === undefined ? 0 : (at - time.first) / (time.last - time.first);
}

/**
 * What is written below points: as many of their labels as have room, at even distances. A line
 * over time whose points are unevenly spaced has round moments instead.
 */
function labelsOf(
  points: readonly ChartPoint[],
  centres: readonly number[],
  time: Time | undefined,
  place: (at: number) => number,
  width: number,
): readonly AxisLabel[] {
  const labels = points.map((point) => point.label);
  const isTemporal = points[0]?.at !== undefined;
  const texts = isTemporal
    ? shortTimes(labels, (of) => evenly(centres, of, width).map(({ text }) => text))
    : labels.map((label) => cutLabel(label, LABEL_MAX));
  const own = evenly(centres, texts, width);
  if (time === undefined || own.length === points.length || areEven(points)) return own;
  const perMs = (place(time.last) - place(time.first)) / (time.last - time.first);
  const ahead = zoneAhead(labels[0] ?? "", time.first);
  const round = roundTicks(
    time.first + ahead,
    time.last + ahead,
    (text, ms) => ms * perMs >= typePx(text) + GAP,
  )
    .map((tick) => ({ at: place(tick.at - ahead), text: tick.text }))
    .filter(({ at, text }) => at + typePx(text) / 2 <= width && at >= typePx(text) / 2);
  return round.length < 2 ? own : round;
}

/** Every label, or each n-th, so that none touches the next. */
function evenly(
  centres: readonly number[],
  texts: readonly string[],
  width: number,
): readonly AxisLabel[] {
  const slot = ((centres.at(-1) ?? 0) - (centres[0] ?? 0)) / Math.max(1, centres.length - 1);
  for (let every = labelStep(widest(texts), slot); ; every++) {
    const shown = centres.flatMap((centre, index) => {
      if (index % every !== 0) return [];
      const text = texts[index] ?? "";
      const half = typePx(text) / 2;
      return [{ at: Math.max(half + 2, Math.min(width - half, centre)), text }];
    });
    if (shown.length < 2 || areApart(shown)) return shown;
  }
}

function areApart(labels: readonly AxisLabel[]): boolean {
  return labels.slice(1).every(({ at, text }, before) => {
    const left = labels[before];
    return left === undefined || at - left.at >= (typePx(text) + typePx(left.text)) / 2 + GAP;
  });
}

/** Whether points are at even distances in time, as the months of a year are. */
function areEven(points: readonly ChartPoint[]): boolean {
  const gaps = points.slice(1).map(({ at }, before) => (at ?? 0) - (points[before]?.at ?? 0));
  return Math.max(...gaps) <= Math.min(...gaps) * EVEN;
}

/** The ticks below bars that lie: all, or each n-th from 0, so that none touches the next. */
function spread(scale: Scale, at: (value: number) => number): AxisLabel[] {
  const texts = tickTexts(scale.ticks);
  const all = scale.ticks.map((value, index) => ({ at: at(value), text: texts[index] ?? "" }));
  const zero = Math.max(0, scale.ticks.indexOf(0));
  for (let every = 1; ; every++) {
    const shown = all.filter((_, index) => (index - zero) % every === 0);
    if (shown.length < 2 || areApart(shown)) return shown;
  }
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, typePx(text)), 0);
}

function typePx(text: string): number {
  return textPx(text) * CHART_TYPE;
}
