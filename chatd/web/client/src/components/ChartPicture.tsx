import { memo } from "react";
import type { ChartPoint, Mark } from "../answers/chartable";
import { AXIS_PX, barText, type ChartLayout } from "../answers/layout";

const NO_POINT: ChartPoint = { label: "", value: 0, shown: "" };
/** Lines with no more points than this show each of them. */
const DOTS_MAX = 60;

/** The chart itself, as SVG; its name, and what is around it, tell the values. */
export function ChartPicture({ mark, points, layout, at, label }: ChartPictureProps) {
  const { width, height, marks } = layout;
  return (
    <svg
      className="answer-picture"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      <Axes layout={layout} />
      {mark === "bar" ? (
        <Bars points={points} layout={layout} />
      ) : (
        <Line layout={layout} hasDots={points.length <= DOTS_MAX} />
      )}
      {at === undefined ? null : <Highlight mark={mark} layout={layout} at={at} />}
      {marks.length === 0 ? (
        <text x={width / 2} y={height / 2} textAnchor="middle">
          No value can be drawn.
        </text>
      ) : null}
    </svg>
  );
}

interface ChartPictureProps {
  mark: Mark;
  points: readonly ChartPoint[];
  layout: ChartLayout;
  /** The point that is looked at. */
  at: number | undefined;
  label: string;
}

/** The numbers below bars that lie, in a picture of their own. */
export const ChartAxis = memo(function ChartAxis({ layout }: { layout: ChartLayout }) {
  return (
    <svg
      className="answer-picture answer-picture-axis"
      width={layout.width}
      height={AXIS_PX}
      viewBox={`0 0 ${layout.width} ${AXIS_PX}`}
      aria-hidden="true"
    >
      {layout.ticks.map(({ at, text }) => (
        <text key={at} x={at} y={16} textAnchor="middle">
          {text}
        </text>
      ))}
    </svg>
  );
});

const Axes = memo(function Axes({ layout }: { layout: ChartLayout }) {
  const { plot, lies, zero } = layout;
  return (
    <g>
      {layout.ticks.map(({ at, text }) =>
        lies ? (
          <line key={at} className="answer-grid" x1={at} x2={at} y1={plot.top} y2={plot.bottom} />
        ) : (
          <g key={at}>
            <line className="answer-grid" x1={plot.left} x2={plot.right} y1={at} y2={at} />
            <text x={plot.left - 8} y={at + 4} textAnchor="end">
              {text}
            </text>
          </g>
        ),
      )}
      {layout.labels.map(({ at, text }) =>
        lies ? (
          <text key={at} x={plot.left - 8} y={at + 4} textAnchor="end">
            {text}
          </text>
        ) : (
          <text key={at} x={at} y={plot.bottom + 18} textAnchor="middle">
            {text}
          </text>
        ),
      )}
      <line
        className="answer-axis"
        x1={lies ? zero : plot.left}
        x2={lies ? zero : plot.right}
        y1={lies ? plot.top : zero}
        y2={lies ? plot.bottom : zero}
      />
    </g>
  );
});

const Bars = memo(function Bars({ points, layout }: BarsProps) {
  return (
    <g>
      {layout.marks.map((bar, index) => (
        <rect
          // Bars have no identity but their place.
          // oxlint-disable-next-line react/no-array-index-key
          key={index}
          className="answer-mark"
          x={bar.x}
          y={bar.y}
          width={bar.width}
          height={bar.height}
          rx={Math.min(2, bar.width / 2, bar.height / 2)}
        />
      ))}
      {layout.lies
        ? layout.marks.map((bar, index) => (
            <text
              // oxlint-disable-next-line react/no-array-index-key
              key={index}
              x={Math.max(bar.x + bar.width, layout.zero) + 6}
              y={bar.y + bar.height / 2 + 4}
            >
              {barText(points[index] ?? NO_POINT)}
            </text>
          ))
        : null}
    </g>
  );
});

interface BarsProps {
  points: readonly ChartPoint[];
  layout: ChartLayout;
}

const Line = memo(function Line({ layout, hasDots }: { layout: ChartLayout; hasDots: boolean }) {
  const places = layout.marks.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`);
  return (
    <g>
      <polyline className="answer-curve" points={places.join(" ")} />
      {hasDots
        ? layout.marks.map(({ x, y }, index) => (
            // oxlint-disable-next-line react/no-array-index-key
            <circle key={index} className="answer-mark" cx={x} cy={y} r={3} />
          ))
        : null}
    </g>
  );
});

/** The point that is looked at. */
function Highlight({ mark, layout, at }: { mark: Mark; layout: ChartLayout; at: number }) {
  const place = layout.marks[at];
  if (place === undefined) return null;
  if (mark === "bar") {
    return <rect className="answer-looked" {...place} />;
  }
  return (
    <g>
      <line
        className="answer-axis"
        x1={place.x}
        x2={place.x}
        y1={layout.plot.top}
        y2={layout.plot.bottom}
      />
      <circle className="answer-looked" cx={place.x} cy={place.y} r={5} />
    </g>
  );
}
