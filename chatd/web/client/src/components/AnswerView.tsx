import { useCallback, useMemo, useRef } from "react";
import { CHART_ROWS_MAX, chartPlan } from "../answers/chartable";
import type { CardTab } from "../answers/cardStates";
import { kindsOf } from "../answers/kinds";
import { nextSort, sortedOrder } from "../answers/sorting";
import { noChartText, outcomeText } from "../answers/sentences";
import { beginning, oneLine } from "../answers/values";
import { askedText, modesOf } from "../answers/view";
import { useAnswer, useLoss } from "../hooks/useAnswer";
import { useAnswerActions } from "../hooks/useAnswerActions";
import { useCardState } from "../hooks/useCardState";
import { useChatStore, useIsViewer } from "../hooks/useChat";
import { useIsLocked } from "../hooks/useIsLocked";
import { useKeepFocus } from "../hooks/useKeepFocus";
import type { Answer, ChatMessage, MessageContext } from "../websocket/types";
import { AnswerBar } from "./AnswerBar";
import { AnswerFailure } from "./AnswerFailure";
import { AnswerHead } from "./AnswerHead";
import { AnswerNotes } from "./AnswerNotes";
import { AnswerLoss, AnswerProgress } from "./AnswerProgress";
import { AnswerSummary } from "./AnswerSummary";
import { AnswerTable } from "./AnswerTable";
import { AnswerText } from "./AnswerText";
import { LaterChart, useChartAtHand } from "./LaterChart";
import { Statement } from "./Statement";

/** How many rows decide the kinds of columns while more come. */
const KINDS_GROWING = 50;
const NOTHING_CHOSEN = {};

/** An answer: who asked what, its rows as a table or a chart, how it stands, and what to do next. */
export function AnswerView({ message, isWhole }: { message: ChatMessage; isWhole: boolean }) {
  const { view, held, live } = useAnswer(message);
  const { loss, again } = useLoss(message, view);
  const question = useChatStore((state) => state.messages.get(message.replyTo ?? ""));
  const [card, change] = useCardState(message.messageId);
  const answer = view.kind === "ended" ? view.answer : undefined;
  const asked = askedText(answer, question);
  const actions = useAnswerActions(message, question, asked);
  const isLocked = useIsLocked(message.connectionId);
  const isViewer = useIsViewer(message.connectionId);
  const asker = useAsker(question?.userId ?? live?.askedBy, question?.name);
  const { columns, rows, rowCount } = held;
  const isGrowing = view.kind !== "ended";
  const sample = isGrowing ? Math.min(rowCount, KINDS_GROWING) : rowCount;
  const kinds = useMemo(() => kindsOf(columns, rows, sample), [columns, rows, sample]);
  const sort = isGrowing ? undefined : card.sort;
  const order = useMemo(
    () => sortedOrder(rows, sort, kinds[sort?.column ?? -1]),
    [rows, sort, kinds],
  );
  const chart = card.chart ?? NOTHING_CHOSEN;
  const isDone = answer?.state === "done";
  const drawable = useMemo(
    () => (isDone ? chartPlan(columns, rows.slice(0, CHART_ROWS_MAX), chart) : undefined),
    [isDone, columns, rows, chart],
  );
  const noChart = drawable && answer && noChartText(answer);
  const plan = noChart === "" ? drawable : undefined;

  const tab = tabOf(card.tab, asked !== undefined, plan !== undefined);
  const toggleStatement = useCallback(
    () => change({ tab: tab === "statement" ? "table" : "statement" }),
    [change, tab],
  );

  useChartAtHand(plan !== undefined);
  const frame = useRef<HTMLDivElement>(null);
  const keepFocus = useKeepFocus(frame);

  if (view.kind === "text") return <AnswerText text={view.text} />;
  const label = labelOf(asked);
  const modes = modesOf(question, live, isLocked);
  const onSort = (column: number) => {
    change({ sort: nextSort(card.sort, column) });
    // Rows that this copy leaves out have to be sorted, too.
    if ((answer?.rowsOmitted ?? 0) > 0) void actions.whole().catch(() => {});
  };
  const select = (next: CardTab) => change({ tab: next });
  return (
    <div
      ref={frame}
      tabIndex={-1}
      {...keepFocus}
      className={isWhole ? "answer is-whole" : "answer"}
      role="group"
      aria-label={answer === undefined ? "Answer under way" : `Answer: ${outcomeText(answer)}`}
    >
      <AnswerHead
        who={asker.shown}
        statement={asked ?? answer?.statement}
        context={question?.context}
        isOpen={tab === "statement"}
        onToggle={toggleStatement}
      />
      {tab === "statement" && asked !== undefined ? (
        <Statement text={answer?.statement ?? asked} />
      ) : null}
      {answer === undefined || answer.state === "done" ? null : (
        <AnswerFailure
          answer={answer}
          asked={asked}
          isViewer={isViewer}
          isLimited={isLimiting(question?.context)}
          hideStatement={tab === "statement"}
          compose={actions.compose}
        />
      )}
      {tab === "chart" && plan !== undefined ? (
        <LaterChart
          columns={columns}
          rows={rows}
          plan={plan}
          label={label}
          onChoose={(choice) => change({ chart: { ...card.chart, ...choice } })}
        />
      ) : null}
      {tab === "table" && hasTable(answer?.state, columns.length, rowCount) ? (
        <AnswerTable
          columns={columns}
          rows={rows}
          rowCount={rowCount}
          order={order?.length === rowCount ? order : undefined}
          kinds={kinds}
          sort={sort}
          onSort={onSort}
          label={label}
          isGrowing={isGrowing}
          isWhole={isWhole}
        />
      ) : null}
      {isText(answer, message) ? <AnswerText text={message.content} /> : null}
      {answer === undefined ? null : <AnswerNotes answer={answer} onShowAll={actions.whole} />}
      <footer className="answer-foot">
        {loss === undefined ? null : <AnswerLoss loss={loss} onAgain={again} />}
        {view.kind === "running" && loss === undefined ? (
          <AnswerProgress live={view.live} phase={view.phase} whose={asker.other} />
        ) : null}
        {answer === undefined ? null : (
          <>
            <AnswerSummary
              answer={answer}
              modes={modes}
              tab={tab}
              noChart={noChart}
              canShowStatement={asked !== undefined}
              onSelect={select}
            />
            <AnswerBar
              answer={answer}
              actions={actions}
              canAsk={asked !== undefined}
              sort={sort}
              mayWrite={modes.mayWrite}
              isWhole={isWhole}
              isViewer={isViewer}
            />
          </>
        )}
      </footer>
    </div>
  );
}

/** Who asked, as it is shown; and who it is if not the reader. */
function useAsker(userId: string | undefined, name: string | undefined) {
  const known = useChatStore((state) => state.names.get(userId ?? ""));
  const me = useChatStore((state) => state.me?.userId);
  if (userId === undefined) return { shown: undefined, other: undefined };
  const shown = oneLine(beginning(name ?? known ?? userId, 100));
  return userId === me ? { shown: "You", other: undefined } : { shown, other: shown };
}

/** The tab that is shown; the table if the chosen one is not available. */
function tabOf(chosen: CardTab | undefined, hasStatement: boolean, hasChart: boolean): CardTab {
  if (chosen === "statement" && hasStatement) return "statement";
  return chosen === "chart" && hasChart ? "chart" : "table";
}

/** Whether an answer is only words, as the help is. */
function isText(answer: Answer | undefined, message: ChatMessage): boolean {
  if (answer?.state !== "done" || answer.columns.length > 0) return false;
  return answer.rowsWritten === undefined && message.answer !== undefined;
}

/** Whether a question names what it may touch. */
function isLimiting(context: MessageContext | undefined): boolean {
  return context?.schema !== undefined || (context?.tables?.length ?? 0) > 0;
}

function hasTable(state: string | undefined, columns: number, rowCount: number): boolean {
  if (columns === 0) return false;
  return rowCount > 0 || state === "done" || state === undefined;
}

function labelOf(asked: string | undefined): string {
  return asked === undefined ? "Result" : `Result of ${oneLine(beginning(asked, 80))}`;
}
