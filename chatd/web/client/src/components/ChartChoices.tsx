import type { ChartChoice, ChartPlan } from "../answers/chartable";
import { channelsOf } from "../answers/chartable";
import { beginning, oneLine } from "../answers/values";
import type { AnswerColumn } from "../websocket/types";

/** The choices of what is drawn, if there are any: the labels, the values, and bars or a line. */
export function ChartChoices({ columns, plan, onChoose }: ChartChoicesProps) {
  const { label, value } = channelsOf(plan.spec);
  const name = (index: number) => oneLine(beginning(columns[index]?.name ?? "", 40)) || "(no name)";
  return (
    <div className="answer-choices">
      {plan.values.length > 1 ? (
        <label>
          <span>Value </span>
          <select
            value={value.field}
            onChange={(event) => onChoose({ value: Number(event.target.value) })}
          >
            {plan.values.map((index) => (
              <option key={index} value={index}>
                {name(index)}
              </option>
            ))}
          </select>
        </label>
      ) : (
        <span>{name(value.field)}</span>
      )}
      {plan.labels.length > 2 ? (
        <label>
          <span>by </span>
          <select
            value={label.field}
            onChange={(event) => onChoose({ label: Number(event.target.value) })}
          >
            {plan.labels.map((index) => (
              <option key={index} value={index}>
                {name(index)}
              </option>
            ))}
          </select>
        </label>
      ) : (
        <span className="soft">by {name(label.field)}</span>
      )}
      <div className="answer-tabs" role="group" aria-label="Drawn as">
        {(["bar", "line"] as const).map((mark) => (
          <button
            key={mark}
            type="button"
            aria-pressed={plan.spec.mark === mark}
            onClick={() => onChoose({ mark })}
          >
            {mark === "bar" ? "Bars" : "Line"}
          </button>
        ))}
      </div>
    </div>
  );
}

interface ChartChoicesProps {
  columns: readonly AnswerColumn[];
  plan: ChartPlan;
  onChoose(choice: ChartChoice): void;
}
