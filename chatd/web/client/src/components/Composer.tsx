import { useEffect, useId, useRef, useState, type ComponentType, type RefObject } from "react";
import { lengthOf, type Length } from "../composer/counting";
import { composingOf } from "../composer/composing";
import { isSqlSoFar } from "../composer/draftedSql";
import { joined } from "../composer/drafts";
import type { Change, Field, FieldProps } from "../composer/field";
import { inserted } from "../composer/inserting";
import { keyAction, pressOf, type KeyAction } from "../composer/keys";
import { dialectOf } from "../composer/names";
import { obstacleOf, UNKEPT } from "../composer/refusals";
import { found } from "../composer/recall";
import { count } from "../format";
import { useChat, useChatStore, useIsViewer, useUi } from "../hooks/useChat";
import { useCompletion } from "../hooks/useCompletion";
import { useDraft } from "../hooks/useDraft";
import { useEditor } from "../hooks/useEditor";
import { NARROW, useMedia } from "../hooks/useMedia";
import { useQuestion } from "../hooks/useQuestion";
import { useRecall } from "../hooks/useRecall";
import { useSending } from "../hooks/useSending";
import { useTyping } from "../hooks/useTyping";
import { Chooser } from "./Chooser";
import { optionId, OptionList } from "./OptionList";
import { Popup } from "./Popup";
import { QuestionBar } from "./QuestionBar";
import { TextField } from "./TextField";

const VIEWER =
  "You are a viewer of this room: you can read everything here, but not write. " +
  "Whoever runs this server can make you a member.";

interface ComposerProps {
  room: string;
  threadId?: string;
}

/** Where a message is written: to a room, or to a thread in it. It is closed to a viewer. */
export function Composer({ room, threadId }: ComposerProps) {
  if (useIsViewer(room)) return <p className="composer composer-closed soft">{VIEWER}</p>;
  // Each room and thread has a box of its own: nothing of one is left in the other.
  return <ComposerBox key={JSON.stringify([room, threadId])} room={room} threadId={threadId} />;
}

function ComposerBox({ room, threadId }: { room: string; threadId: string | undefined }) {
  const ids = useId();
  const field = useRef<Field>(null);
  const [text, setText] = useState("");
  const [isSearching, setSearching] = useState(false);
  const place = { room, threadId };
  const [question, ask] = useQuestion(place);
  const draft = useDraft(field, room, threadId);
  const sending = useSending({ field, place, question, ask, draft });
  const completing = useCompletion(field, room);
  const recalling = useRecall(field, room);
  const typing = useTyping(room);
  const isNarrow = useMedia(NARROW);
  const editor = useEditor(field, text === "");
  const max = useChatStore((state) => state.limits?.contentChars);
  const info = useChatStore((state) => state.rooms.find((one) => one.connectionId === room));
  const database = info?.database;
  useComposerText(field, threadId);
  const focused = useFocused(threadId);

  const length = lengthOf(text, max);
  const obstacle = obstacleOf(text, length);
  useAnnounced(obstacle);
  const said = obstacle || sending.refusal || (draft.isUnkept && text !== "" ? UNKEPT : undefined);
  const { open } = completing;
  const [listId, problemId] = [`${ids}-list`, `${ids}-problem`];

  function onChange(change: Change): void {
    setText(change.text);
    draft.save(joined(sending.flying(), change.text));
    completing.changed(change);
    if (!change.isTyped) return;
    sending.forgetRefusal();
    if (change.text === "") typing.stop();
    else typing.typed();
  }

  function onKey(event: KeyboardEvent): boolean {
    const action = keyAction(pressOf(event), {
      list: open,
      isEmpty: text === "",
      isRecalling: recalling.isOn(),
    });
    // A key that is held down sends once.
    if (action !== undefined && !(action === "send" && event.repeat)) act(action);
    return action !== undefined;
  }

  function act(action: KeyAction): void {
    switch (action) {
      case "send":
        return send();
      case "accept":
        return completing.accept();
      case "next":
        return completing.step(1);
      case "previous":
        return completing.step(-1);
      case "close":
        return completing.dismiss();
      case "complete":
        return completing.ask();
      case "older":
        return recalling.older();
      case "newer":
        return recalling.newer();
      case "restore":
        return recalling.restore();
      case "search":
        completing.close();
        setSearching(true);
    }
  }

  function send(): void {
    typing.stop();
    sending.send();
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
        field.current?.focus();
      }}
    >
      {said !== undefined && (
        <p className="composer-problem" id={problemId}>
          {said}
        </p>
      )}
      <div className="composer-box">
        {open !== undefined && (
          <Popup>
            <OptionList
              id={listId}
              label="Completions"
              options={open.options.map(({ kind, label, detail }, at) => ({
                key: `${kind} ${label} ${at}`,
                label,
                detail,
              }))}
              picked={open.picked}
              onPick={completing.accept}
            />
          </Popup>
        )}
        {isSearching && (
          <Chooser
            label="Search your messages in this room"
            placeholder="Words of one of your messages"
            nothing="None of your messages in this room has these words."
            optionsFor={(typed) => found(recalling.texts(), typed).map(recallOption)}
            onChoose={({ key }) => {
              recalling.take(key);
              setSearching(false);
              field.current?.focus();
            }}
            onClose={() => {
              setSearching(false);
              field.current?.focus();
            }}
            onLeave={() => setSearching(false)}
          />
        )}
        <Box
          editor={editor}
          ref={field}
          text={text}
          label={labelOf(info?.title ?? room, threadId)}
          placeholder={
            isNarrow
              ? shortPlaceholder(threadId, database !== undefined)
              : placeholderOf(info?.title ?? room, threadId, database !== undefined)
          }
          isSql={database !== undefined && isSqlSoFar(text)}
          dialect={dialectOf(database)}
          listId={listId}
          pickedId={open === undefined ? undefined : optionId(listId, open.picked)}
          problemId={said === undefined ? undefined : problemId}
          onChange={onChange}
          onMove={completing.moved}
          onKey={onKey}
          onFocus={focused}
          onBlur={() => {
            typing.stop();
            completing.close();
          }}
        />
      </div>
      <div className="composer-bar">
        {database !== undefined && (
          <QuestionBar
            room={room}
            database={database}
            question={question}
            ask={ask}
            focusBox={() => field.current?.focus()}
          />
        )}
        <span className="composer-end">
          {length.isNear && <Counter length={length} max={max} />}
          <button type="submit" className="primary" disabled={obstacle !== undefined}>
            Send
          </button>
        </span>
      </div>
    </form>
  );
}

function Box({ editor: Editor = TextField, ...props }: BoxProps) {
  return <Editor {...props} />;
}

interface BoxProps extends FieldProps {
  /** The editor that takes the place of the textarea, once it is loaded. */
  editor: ComponentType<FieldProps> | undefined;
}

function Counter({ length, max }: { length: Length; max: number | undefined }) {
  return (
    <span className={length.over > 0 ? "composer-count bad" : "composer-count soft"}>
      {count(length.count)} of {count(max ?? 0)} characters
    </span>
  );
}

function labelOf(title: string, threadId: string | undefined): string {
  return threadId === undefined ? `Message to ${title}` : "Reply in this thread";
}

function placeholderOf(title: string, threadId: string | undefined, hasDatabase: boolean): string {
  const begin = threadId === undefined ? `Message ${title}` : "Reply in this thread";
  return hasDatabase ? `${begin}, or ask it: SQL or /` : begin;
}

/** For narrow pages; the head of the page says which room it is. */
function shortPlaceholder(threadId: string | undefined, hasDatabase: boolean): string {
  const begin = threadId === undefined ? "Message" : "Reply";
  return hasDatabase ? `${begin}, SQL or /` : begin;
}

function recallOption(text: string) {
  return { key: text, label: text.replaceAll(/\s+/g, " ").slice(0, RECALLED_SHOWN) };
}

/** How much of a recalled message its line shows. */
const RECALLED_SHOWN = 200;

/** Takes text that comes from elsewhere, once, if it is meant, or had the focus last. */
function useComposerText(field: RefObject<Field | null>, threadId: string | undefined): void {
  const chat = useChat();
  const composing = composingOf(chat);
  const wanted = useUi((state) => state.composerText);
  useEffect(() => {
    if (wanted === undefined || field.current === null) return;
    if (chat.ui.getState().composerText !== wanted) return;
    if ((wanted.at ?? composing.getState()).threadId !== threadId) return;
    chat.ui.setState({ composerText: undefined });
    const box = field.current;
    box.focus();
    if (wanted.how === "replace") {
      box.replace(0, box.text().length, wanted.text);
      return;
    }
    const { from, to } = box.selection();
    if (wanted.text !== "") box.replace(from, to, inserted(box.text(), from, wanted.text));
  }, [chat, composing, field, threadId, wanted]);
}

/** Remembers which composer had the focus; a thread's gives it back when it goes. */
function useFocused(threadId: string | undefined): () => void {
  const composing = composingOf(useChat());
  useEffect(
    () => () => {
      if (threadId !== undefined && composing.getState().threadId === threadId)
        composing.getState().focused(undefined);
    },
    [composing, threadId],
  );
  return () => composing.getState().focused(threadId);
}

/** When the text becomes wrong, say so to people who cannot see it. */
function useAnnounced(obstacle: string | undefined): void {
  const { ui } = useChat();
  const isWrong = obstacle !== undefined && obstacle !== "";
  useEffect(() => {
    if (isWrong) ui.getState().announce("The message is too long to be sent.", "assertive");
  }, [isWrong, ui]);
}
