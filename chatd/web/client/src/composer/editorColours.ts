/** SQL in the editor: its colours and its brackets, by the tokens that completion goes by, too. */
import { RangeSetBuilder, type Extension } from "@codemirror/state";
import {
  Decoration,
  ViewPlugin,
  type DecorationSet,
  type EditorView,
  type ViewUpdate,
} from "@codemirror/view";
import { isWord } from "../sql";
import { bracketPair } from "./brackets";
import { COLOURED_MAX } from "./field";
import { lexed, type Token } from "./lexer";
import type { Dialect } from "./names";

const WORD = Decoration.mark({ class: "sql-word" });
const STRING = Decoration.mark({ class: "sql-text" });
const NUMBER = Decoration.mark({ class: "sql-number" });
const COMMENT = Decoration.mark({ class: "sql-comment" });
const PAIR = Decoration.mark({ class: "sql-bracket" });
const LONELY = Decoration.mark({ class: "sql-bracket-lonely" });

/** Colours for the SQL of a dialect, and a mark for the brackets at the cursor. */
export function sqlColours(dialect: Dialect): Extension {
  return ViewPlugin.define((view) => new Colours(view, dialect), {
    decorations: (colours) => colours.shown,
  });
}

class Colours {
  shown: DecorationSet;
  private tokens: readonly Token[];

  constructor(
    view: EditorView,
    private readonly dialect: Dialect,
  ) {
    this.tokens = this.read(view);
    this.shown = this.draw(view);
  }

  update({ view, docChanged, selectionSet, focusChanged }: ViewUpdate): void {
    if (docChanged) this.tokens = this.read(view);
    if (docChanged || selectionSet || focusChanged) this.shown = this.draw(view);
  }

  private read({ state }: EditorView): readonly Token[] {
    return state.doc.length > COLOURED_MAX ? [] : lexed(state.doc.toString(), this.dialect);
  }

  private draw({ state, hasFocus }: EditorView): DecorationSet {
    const { empty, head } = state.selection.main;
    const brackets = hasFocus && empty ? bracketPair(this.tokens, head) : undefined;
    const marks = new RangeSetBuilder<Decoration>();
    for (const token of this.tokens) {
      const isMarked = brackets?.includes(token) === true;
      const mark = isMarked ? (brackets?.length === 2 ? PAIR : LONELY) : markOf(token);
      if (mark !== undefined) marks.add(token.from, token.to, mark);
    }
    return marks.finish();
  }
}

function markOf({ kind, text }: Token): Decoration | undefined {
  switch (kind) {
    case "word":
      return isWord(text) ? WORD : undefined;
    case "string":
      return STRING;
    case "number":
      return NUMBER;
    case "comment":
      return COMMENT;
    default:
      return undefined;
  }
}
