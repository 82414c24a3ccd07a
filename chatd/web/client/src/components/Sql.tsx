/** SQL, coloured by what its words are. */
export function Sql({ text }: { text: string }) {
  return <code className="sql">{text}</code>;
}
