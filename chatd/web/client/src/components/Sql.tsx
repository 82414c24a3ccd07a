import { memo, useMemo } from "react";
import { tokensOf } from "../sql";

/** SQL, coloured by what its words are. */
export const Sql = memo(function Sql({ text }: { text: string }) {
  const tokens = useMemo(() => tokensOf(text), [text]);
  return (
    <code className="sql">
      {tokens.map((token, at) =>
        token.kind === "plain" ? (
          token.text
        ) : (
          // The pieces have no names, and change only together.
          // oxlint-disable-next-line react/no-array-index-key
          <span key={at} className={`sql-${token.kind}`}>
            {token.text}
          </span>
        ),
      )}
    </code>
  );
});
