-- Several nodes on one log.
--
-- A row of a member says on which nodes the user has a socket in the room ("stays", ids of nodes);
-- "away_seq" is null where that is any. "version" is the transaction that wrote the row last: who
-- writes it names the version that it knows, and is told where there is another one. So a node may
-- keep members in memory, and never writes over what another one has decided.

ALTER TABLE members ADD COLUMN stays int[] NOT NULL DEFAULT '{}';
ALTER TABLE members ADD COLUMN version bigint NOT NULL DEFAULT 0;
CREATE INDEX members_by_version ON members (version);
DROP TABLE stays;
