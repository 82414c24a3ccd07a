import { lazy, Suspense, useEffect, type ComponentProps, type ComponentType } from "react";
import type { Chart } from "./Chart";

type ChartProps = ComponentProps<typeof Chart>;

const load = () => import("./Chart").then((module) => module.Chart);

/** If the file of the chart cannot be loaded, a sentence stands in its place. */
const Loaded = lazy<ComponentType<ChartProps>>(async () => ({
  default: await load().catch(() => NoChart),
}));

/** A chart, whose file is loaded separately: the first view of the page does without it. */
export function LaterChart(props: ChartProps) {
  return (
    <Suspense fallback={<p className="answer-text is-chart soft">Loading the chart…</p>}>
      <Loaded {...props} />
    </Suspense>
  );
}

/** Have the chart at hand before somebody asks for it, as the server may be away then. */
export function useChartAtHand(isWanted: boolean): void {
  useEffect(() => {
    if (isWanted) load().catch(() => undefined);
  }, [isWanted]);
}

function NoChart() {
  return (
    <p className="answer-text bad">
      The chart could not be loaded. Reload the page once the server is back.
    </p>
  );
}
