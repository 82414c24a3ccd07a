import { initialsOf, isDatabase, lookOf } from "../messages/authors";
import { MessageIcon } from "./MessageIcon";

interface AuthorPictureProps {
  userId: string;
  name: string;
  isSmall?: boolean;
}

/** Whose a message is, at a glance: the initials of somebody, or the sign of a database. */
export function AuthorPicture({ userId, name, isSmall = false }: AuthorPictureProps) {
  const isFromDatabase = isDatabase(userId);
  const look = isFromDatabase ? "is-database" : `look-${lookOf(userId)}`;
  return (
    <span className={`message-picture ${look} ${isSmall ? "is-small" : ""}`} aria-hidden="true">
      {isFromDatabase ? <MessageIcon name="database" /> : initialsOf(name)}
    </span>
  );
}
