import { useImperativeHandle, useLayoutEffect, useRef, useState } from "react";
import { COLOURED_MAX, type FieldProps } from "../composer/field";
import { TextareaField } from "../composer/textareaField";
import { useKeyDown } from "../hooks/useKeyDown";
import { useLatest } from "../hooks/useLatest";
import { FINE_POINTER, useMedia } from "../hooks/useMedia";
import { tokensOf } from "../sql";

/**
 * A textarea over a coloured copy of its text. The copy gives the height and the colours, and is
 * silent for screen readers; the textarea has the cursor and all the keys of the platform.
 */
export function TextField(props: FieldProps) {
  const { ref, text, isSql, pickedId, problemId } = props;
  const [initialText] = useState(text);
  const box = useRef<HTMLTextAreaElement>(null);
  const mirror = useRef<HTMLDivElement>(null);
  const latest = useLatest(props);
  const [field] = useState(() => new TextareaField());
  const isFine = useMedia(FINE_POINTER);
  useImperativeHandle(ref, () => field, [field]);
  useLayoutEffect(() => {
    field.attach(box.current, (change) => latest.current.onChange(change));
  }, [field, latest]);
  useKeyDown(box, (event) => latest.current.onKey(event));
  return (
    <div className={isSql ? "composer-field composer-sql" : "composer-field"}>
      <div className="composer-mirror" aria-hidden="true" ref={mirror}>
        {isSql && text.length <= COLOURED_MAX ? <Coloured text={text} /> : text}
        {/* A line that ends with a break has another one below it, as in the textarea. */}
        {"\n"}
      </div>
      <textarea
        ref={box}
        rows={1}
        defaultValue={initialText}
        // On a telephone its keyboard would cover what is to be read first.
        data-focus-first={isFine || undefined}
        aria-label={props.label}
        placeholder={props.placeholder}
        aria-autocomplete="list"
        aria-controls={pickedId === undefined ? undefined : props.listId}
        aria-activedescendant={pickedId}
        aria-describedby={problemId}
        aria-invalid={problemId === undefined ? undefined : true}
        spellCheck={!isSql}
        autoCapitalize={isSql ? "off" : "sentences"}
        autoComplete="off"
        enterKeyHint="send"
        onInput={() => field.heardInput()}
        onSelect={props.onMove}
        onScroll={(event) => {
          if (mirror.current !== null) mirror.current.scrollTop = event.currentTarget.scrollTop;
        }}
        onCompositionStart={() => field.heardComposition(true)}
        onCompositionEnd={() => field.heardComposition(false)}
        onFocus={props.onFocus}
        onBlur={props.onBlur}
      />
    </div>
  );
}

function Coloured({ text }: { text: string }) {
  let at = 0;
  return tokensOf(text).map((token) => {
    const key = at;
    at += token.text.length;
    if (token.kind === "plain") return token.text;
    return (
      <span key={key} className={`sql-${token.kind}`}>
        {token.text}
      </span>
    );
  });
}
