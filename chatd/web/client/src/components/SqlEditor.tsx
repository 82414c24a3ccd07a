import {
  history,
  historyKeymap,
  insertNewlineKeepIndent,
  standardKeymap,
} from "@codemirror/commands";
import { Compartment, EditorState, Prec, type Extension } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { useImperativeHandle, useLayoutEffect, useRef, useState, type RefObject } from "react";
import { flushSync } from "react-dom";
import { sqlColours } from "../composer/editorColours";
import { changeOf, EditorField } from "../composer/editorField";
import { editorTheme } from "../composer/editorLook";
import type { Change, FieldProps } from "../composer/field";
import { takeKey } from "../hooks/useKeyDown";
import { useLatest } from "../hooks/useLatest";

/**
 * The box on devices with a mouse and a keyboard: it knows the dialect of the room's database. It
 * has the textarea's completions, history and keys, and no list of its own.
 *
 * It lives in a shadow root, where its styles are adopted sheets, which a strict policy allows. So
 * it refers screen readers to elements outside by reference, and not by id.
 */
export function SqlEditor(props: FieldProps) {
  const { ref, isSql, dialect, label } = props;
  const host = useRef<HTMLDivElement>(null);
  const latest = useLatest(props);
  const [field] = useState(() => new EditorField());
  const [parts] = useState(() => ({ language: new Compartment(), words: new Compartment() }));
  useImperativeHandle(ref, () => field, [field]);

  useLayoutEffect(() => {
    const element = host.current as HTMLDivElement;
    const root = element.shadowRoot ?? element.attachShadow({ mode: "open", delegatesFocus: true });
    const { text } = latest.current;
    const view = new EditorView({
      parent: root,
      root,
      state: EditorState.create({
        doc: text,
        selection: { anchor: text.length },
        extensions: [
          heard(latest),
          keys,
          history(),
          parts.language.of([]),
          parts.words.of([]),
          EditorView.lineWrapping,
          editorTheme,
        ],
      }),
    });
    // When the host gets the focus, it goes to the first element that can have it: the text.
    view.scrollDOM.removeAttribute("tabindex");
    field.attach(view);
    return () => {
      field.attach(undefined);
      view.destroy();
    };
  }, [field, latest, parts]);

  useLayoutEffect(() => {
    const language = isSql ? sqlColours(dialect) : [];
    field.apply(parts.language.reconfigure(language));
  }, [dialect, field, isSql, parts]);

  const shown = props.placeholder;
  useLayoutEffect(() => {
    field.apply(parts.words.reconfigure(wordsOf(label, shown, isSql)));
  }, [field, isSql, label, parts, shown]);

  const { listId, pickedId, problemId } = props;
  useLayoutEffect(() => {
    const content = field.element();
    // At each render: an option at the same place can be another element.
    if (content !== undefined) refer(content, pickedId && listId, pickedId, problemId);
  });

  return (
    <div
      ref={host}
      className={isSql ? "composer-editor composer-sql" : "composer-editor"}
      data-focus-first=""
    />
  );
}

const keys = keymap.of([
  { key: "Shift-Enter", run: insertNewlineKeepIndent },
  ...historyKeymap,
  ...standardKeymap,
]);

function heard(latest: RefObject<FieldProps>): Extension {
  function changed(change: Change): void {
    // What we put in ourselves is reported while React is at work.
    if (change.isTyped) atOnce(() => latest.current.onChange(change));
    else latest.current.onChange(change);
  }
  return [
    Prec.highest(
      EditorView.domEventHandlers({
        keydown(event) {
          const isTaken = atOnce(() => latest.current.onKey(event));
          if (isTaken) takeKey(event);
          return isTaken;
        },
        focus: () => latest.current.onFocus(),
        blur: () => latest.current.onBlur(),
      }),
    ),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) changed(changeOf(update));
      else if (update.selectionSet) latest.current.onMove();
    }),
  ];
}

/**
 * React treats an event from a shadow root as something that can wait; the next key must find it
 * done.
 */
function atOnce<T>(act: () => T): T {
  return flushSync(act);
}

function wordsOf(label: string, shown: string, isSql: boolean): Extension {
  return [
    placeholder(shown),
    EditorView.contentAttributes.of({
      "aria-label": label,
      // Stated, so that every tool sees that the keyboard comes here, and can scroll.
      tabindex: "0",
      "aria-autocomplete": "list",
      enterkeyhint: "send",
      spellcheck: String(!isSql),
      autocapitalize: isSql ? "off" : "sentences",
    }),
  ];
}

/** Point screen readers to elements outside the shadow root. */
function refer(
  content: HTMLElement,
  listId: string | undefined,
  pickedId: string | undefined,
  problemId: string | undefined,
): void {
  const list = byId(listId);
  const problem = byId(problemId);
  content.ariaControlsElements = list === null ? null : [list];
  content.ariaActiveDescendantElement = byId(pickedId);
  content.ariaDescribedByElements = problem === null ? null : [problem];
  content.ariaInvalid = problem === null ? null : "true";
}

function byId(id: string | undefined): HTMLElement | null {
  return id === undefined ? null : document.getElementById(id);
}
