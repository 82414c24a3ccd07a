/** How the editor looks: like the textarea, in the colours and fonts of the page around it. */
import { EditorView } from "@codemirror/view";

export const editorTheme = EditorView.theme({
  "&": { maxHeight: "40vh", color: "var(--ink)", backgroundColor: "transparent" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { overflow: "auto", font: "inherit", lineHeight: "inherit" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 10px" },
  ".cm-placeholder": {
    display: "inline-block",
    maxWidth: "100%",
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    verticalAlign: "bottom",
    color: "var(--soft)",
  },
  ".sql-word": { color: "var(--word)" },
  ".sql-text": { color: "var(--text)" },
  ".sql-number": { color: "var(--number)" },
  ".sql-comment": { color: "var(--soft)" },
  ".sql-bracket": { backgroundColor: "var(--hover)", outline: "1px solid var(--line)" },
  ".sql-bracket-lonely": { color: "var(--bad)" },
});
