import { memo, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import {
  chartData,
  type ChartChoice,
  type ChartData,
  type ChartPlan,
  type ChartPoint,
} from "../answers/chartable";
import { layoutOf, type ChartLayout } from "../answers/layout";
import { oneLine } from "../answers/values";
import { counted } from "../format";
import { useWidth } from "../hooks/useWidth";
import type { AnswerColumn, Row } from "../websocket/types";
import { ChartChoices } from "./ChartChoices";
import { ChartAxis, ChartPicture } from "./ChartPicture";

/** The width that is assumed before the real one is known. Unit: px. */
const WIDTH = 640;
/** How many points a screen reader is told at once; the keys tell the others. */
const POINTS_SPOKEN = 20;

/** Bars or a line of an answer, with the value under the pointer, or chosen by keys. */
export const Chart = memo(function Chart({ columns, rows, plan, label, onChoose }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box, WIDTH);
  const data = useMemo(() => chartData(plan.spec, rows), [plan.spec, rows]);
  const layout = useMemo(
    () => layoutOf(plan.spec, data.points, width),
    [plan.spec, data.points, width],
  );
  const [at, setAt] = useState<number>();
  const shown = at === undefined ? undefined : data.points[at];
  const last = data.points.length - 1;
  const onKeyDown = (event: KeyboardEvent) => {
    const next = nextPoint(event.key, at, last);
    if (next === undefined) return;
    setAt(next);
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="answer-chart">
      <ChartChoices columns={columns} plan={plan} onChoose={onChoose} />
      <div className="answer-chart-scroll">
        <div
          ref={box}
          className="answer-chart-plot"
          role="slider"
          tabIndex={0}
          aria-label="Values of the chart"
          aria-valuemin={1}
          aria-valuemax={data.points.length}
          aria-valuenow={(at ?? 0) + 1}
          aria-valuetext={textOf(shown ?? data.points[0])}
          onKeyDown={onKeyDown}
          onPointerMove={(event) => setAt(nearestPoint(event, layout))}
          onPointerLeave={() => setAt(undefined)}
          onBlur={() => setAt(undefined)}
        >
          <ChartPicture
            mark={plan.spec.mark}
            points={data.points}
            layout={layout}
            at={at}
            label={`${label}: ${spoken(data.points)}`}
          />
        </div>
        {layout.lies && <ChartAxis layout={layout} />}
      </div>
      <p className="answer-chart-value">
        {shown === undefined ? <span className="soft">{hintOf(data)}</span> : textOf(shown)}
      </p>
    </div>
  );
});

interface ChartProps {
  columns: readonly AnswerColumn[];
  rows: readonly Row[];
  plan: ChartPlan;
  label: string;
  onChoose(choice: ChartChoice): void;
}

function textOf(point: ChartPoint | undefined): string {
  return point === undefined ? "" : `${oneLine(point.label)}: ${point.shown}`;
}

function spoken(points: readonly ChartPoint[]): string {
  const told = points.slice(0, POINTS_SPOKEN).map((point) => `${point.label} ${point.shown}`);
  const rest = points.length - told.length;
  return told.join(", ") + (rest > 0 ? `, and ${counted(rest, "more value", "more values")}` : "");
}

/** What the chart leaves out; else how its values are seen. */
function hintOf({ points, empty, odd }: ChartData): string {
  const left: string[] = [];
  if (empty > 0) left.push(`${counted(empty, "row")} without a value`);
  if (odd > 0) left.push(`${counted(odd, "row")} that cannot be drawn`);
  const all = `${counted(points.length, "value")}`;
  return left.length === 0 ? all : `${all}; ${left.join(" and ")} left out`;
}

function nextPoint(key: string, at: number | undefined, last: number): number | undefined {
  if (last < 0) return undefined;
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (!Object.hasOwn(by, key)) return undefined;
  const step = by[key as keyof typeof by];
  return at === undefined ? (step > 0 ? 0 : last) : Math.max(0, Math.min(last, at + step));
}

/** The point nearest to the pointer, along the labels alone: a low bar is as easy to hit. */
function nearestPoint(event: PointerEvent, layout: ChartLayout): number | undefined {
  const box = event.currentTarget.getBoundingClientRect();
  const place = layout.lies ? event.clientY - box.top : event.clientX - box.left;
  let nearest: number | undefined;
  let least = Infinity;
  layout.marks.forEach((mark, index) => {
    const centre = layout.lies ? mark.y + mark.height / 2 : mark.x + mark.width / 2;
    const distance = Math.abs(centre - place);
    if (distance < least) [nearest, least] = [index, distance];
  });
  return nearest;
}
