/** Beside the name of whoever speaks for the server, as any user may be called the same. */
export function ServerBadge() {
  return (
    <span className="answer-badge" title="Whoever runs this server wrote this.">
      from the server
    </span>
  );
}
