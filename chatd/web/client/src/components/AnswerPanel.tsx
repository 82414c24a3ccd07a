/** The whole of an answer, in the panel. */
export function AnswerPanel(_: { answerId: string }) {
  return null;
}
