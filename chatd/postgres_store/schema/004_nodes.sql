-- Several nodes on one log.
--
-- A row of a member says on which nodes the user has a socket in the room ("stays", ids of nodes);
-- "away_seq" is null where that is any. "seen_seq" is what the user has seen where it has left while it
-- was elsewhere, too. "version" is the transaction that wrote the row last: a batch
-- names the version that it rests on, and is refused where there is another one. So a node may keep
-- members in memory, and never writes over what another one has decided.
--
-- One more error by which the caller knows that nothing was written:
--   CHD06  the batch rests on what other nodes have changed meanwhile; in the place of CHD02, CHD04

ALTER TABLE members ADD COLUMN stays int[] NOT NULL DEFAULT '{}';
ALTER TABLE members ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE members ADD COLUMN seen_seq bigint NOT NULL DEFAULT 0;
CREATE INDEX members_by_version ON members (version);
DROP TABLE stays;

-- Who is a member no more, for the nodes that do not know yet; for a day.
CREATE TABLE removals (
    room_id int NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    removed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX removals_by_version ON removals (version);

DROP FUNCTION commit_batch(int, bigint, int[], bigint[], bigint[], bigint[], bigint[], boolean, text[],
    json, json, json);
DROP FUNCTION keep_members(json);

-- As in 002, and more:
-- p_last_seqs is null for each room where any last seq will do.
-- p_members are the members that the batch writes: room, user, and the version that it rests on, null
-- where there is to be none.
-- p_receipts are messages that were acknowledged: room, seq, by whom, when. Those that somebody else
-- has acknowledged before are returned, as [[room, seq], ...].
-- "version" is what the members that were written have now.
CREATE FUNCTION commit_batch(
    p_node int,
    p_number bigint,
    p_rooms int[],
    p_messages_of bigint[],
    p_changes_of bigint[],
    p_last_seqs bigint[],
    p_last_revs bigint[],
    p_has_scoped boolean,
    p_twins text[],
    p_messages json,
    p_mentioning json,
    p_members json,
    p_receipts json,
    p_others json,
    OUT last_seqs bigint[],
    OUT version bigint,
    OUT repeated json
) LANGUAGE plpgsql AS $$
DECLARE
    v_revs bigint[];
    v_scoped boolean;
BEGIN
    UPDATE nodes SET commits = p_number, beat = clock_timestamp()
        WHERE node_id = p_node AND commits = p_number - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'batch % is not the next one of node %', p_number, p_node
            USING ERRCODE = 'CHD01';
    END IF;
    version := pg_current_xact_id()::text::bigint;
    -- Rooms, members and messages in this order, and each in ascending order, so that no two batches
    -- wait for each other.
    SELECT array_agg(l.last_seq ORDER BY l.room_id), array_agg(l.last_rev ORDER BY l.room_id)
        INTO last_seqs, v_revs
        FROM (SELECT r.room_id, r.last_seq, r.last_rev FROM rooms r WHERE r.room_id = ANY (p_rooms)
              ORDER BY r.room_id FOR NO KEY UPDATE) l;
    IF EXISTS (SELECT FROM unnest(p_last_seqs, last_seqs) u(known, found)
               WHERE u.known <> u.found)
       OR EXISTS (SELECT FROM unnest(p_last_revs, v_revs) u(known, found)
                  WHERE u.known <> u.found) THEN
        RAISE EXCEPTION 'rooms have other messages or changes' USING ERRCODE = 'CHD06';
    END IF;
    IF p_members IS NOT NULL THEN
        PERFORM require_members(p_members);
    END IF;
    -- Behind the locks: whoever brings in the first id with a scope has locked the room too.
    IF p_messages IS NOT NULL THEN
        SELECT has_scoped_ids INTO v_scoped FROM meta;
        IF v_scoped AND p_twins IS NULL THEN
            RAISE EXCEPTION 'there are ids with a scope' USING ERRCODE = 'CHD03';
        END IF;
        IF p_has_scoped AND NOT v_scoped THEN
            UPDATE meta SET has_scoped_ids = true;
        END IF;
        IF EXISTS (SELECT FROM messages m JOIN unnest(p_twins) t(id)
                   ON m.message_id = decode(t.id, 'hex')) THEN
            RAISE EXCEPTION 'a message of this id is in the room, with its scope'
                USING ERRCODE = 'CHD05';
        END IF;
        INSERT INTO messages (room_id, seq, message_id, thread_id, timestamp_ms, user_id, name,
                              context, content, reply_to, answer)
            SELECT p_rooms[i.a], last_seqs[i.a] + i.k, decode(i.i, 'hex'), decode(i.t, 'hex'), i.ms,
                   i.u, i.n, i.x, i.c, decode(i.r, 'hex'), i.w
            FROM json_to_recordset(p_messages) AS i(a int, k bigint, i text, t text, ms bigint,
                u text, n text, x text, c text, r text, w text);
        INSERT INTO mentions (room_id, seq, author, users)
            SELECT p_rooms[i.a], last_seqs[i.a] + i.k, i.u, i.m
            FROM json_to_recordset(p_mentioning) AS i(a int, k bigint, u text, m jsonb);
    END IF;
    UPDATE rooms r SET last_seq = r.last_seq + n.messages, last_rev = r.last_rev + n.changes
        FROM unnest(p_rooms, p_messages_of, p_changes_of) n(room, messages, changes)
        WHERE r.room_id = n.room;
    IF p_receipts IS NOT NULL THEN
        repeated := keep_receipts(p_receipts);
    END IF;
    IF p_others IS NOT NULL THEN
        PERFORM keep_members(p_others, version);
        PERFORM keep_changes(p_others);
        PERFORM keep_others(p_node, p_others);
    END IF;
    last_seqs := coalesce(last_seqs, '{}');
END
$$;

-- Lock members, and refuse where one is not as the batch knows it.
CREATE FUNCTION require_members(p json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM members m
        JOIN json_to_recordset(p) AS i(r int, u text) ON m.room_id = i.r AND m.user_id = i.u
        ORDER BY m.room_id, m.user_id FOR NO KEY UPDATE OF m;
    IF EXISTS (SELECT FROM json_to_recordset(p) AS i(r int, u text, v bigint)
               LEFT JOIN members m ON m.room_id = i.r AND m.user_id = i.u
               WHERE m.version IS DISTINCT FROM i.v) THEN
        RAISE EXCEPTION 'members are not as they were' USING ERRCODE = 'CHD06';
    END IF;
END
$$;

-- Who was removed and came again in one batch has joined anew; a first joining stands else. A member
-- that another node has made meanwhile was not there to be locked.
CREATE FUNCTION keep_members(p json, p_version bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_count bigint;
    v_written bigint;
BEGIN
    DELETE FROM members m
        USING json_to_recordset(p -> 'removed') AS i(r int, u text)
        WHERE m.room_id = i.r AND m.user_id = i.u;
    INSERT INTO removals (room_id, user_id, version)
        SELECT i.r, i.u, p_version FROM json_to_recordset(p -> 'removed') AS i(r int, u text)
        ORDER BY i.r, i.u COLLATE "C"
        ON CONFLICT (room_id, user_id) DO UPDATE SET
            version = excluded.version, removed_at = excluded.removed_at;
    UPDATE members m SET
            away_seq = i.a, away_ms = i.ms, gaps = i.g, fallen = i.f, read_seq = i.s, name = i.n,
            stays = i.st, seen_seq = i.se, version = p_version
        FROM json_to_recordset(p -> 'members') AS i(r int, u text, a bigint, ms bigint, g jsonb,
            f jsonb, s bigint, n text, st int[], se bigint)
        WHERE m.room_id = i.r AND m.user_id = i.u;
    GET DIAGNOSTICS v_written = ROW_COUNT;
    SELECT count(*) INTO v_count FROM json_array_elements(p -> 'members');
    IF v_written < v_count THEN
        INSERT INTO members (room_id, user_id, joined_ms, away_seq, away_ms, gaps, fallen, read_seq,
                             name, stays, seen_seq, version)
            SELECT i.r, i.u, i.j, i.a, i.ms, i.g, i.f, i.s, i.n, i.st, i.se, p_version
            FROM json_to_recordset(p -> 'members') AS i(r int, u text, j bigint, a bigint,
                ms bigint, g jsonb, f jsonb, s bigint, n text, st int[], se bigint)
            WHERE NOT EXISTS (SELECT FROM members m WHERE m.room_id = i.r AND m.user_id = i.u)
            ORDER BY i.r, i.u COLLATE "C"
            ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        SELECT count(*) - v_written INTO v_written FROM json_array_elements(p -> 'members');
        IF v_count < v_written THEN
            RAISE EXCEPTION 'members are not as they were' USING ERRCODE = 'CHD06';
        END IF;
    END IF;
    UPDATE members m SET read_seq = i.s, version = p_version
        FROM json_to_recordset(p -> 'read') AS i(r int, u text, s bigint)
        WHERE m.room_id = i.r AND m.user_id = i.u;
END
$$;

CREATE FUNCTION keep_receipts(p json) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    v_repeated json;
BEGIN
    PERFORM FROM messages m
        JOIN json_to_recordset(p) AS i(r int, s bigint) ON m.room_id = i.r AND m.seq = i.s
        ORDER BY m.room_id, m.seq FOR NO KEY UPDATE OF m;
    SELECT json_agg(json_build_array(i.r, i.s)) INTO v_repeated
        FROM json_to_recordset(p) AS i(r int, s bigint)
        LEFT JOIN messages m ON m.room_id = i.r AND m.seq = i.s AND m.delivered_by IS NULL
        WHERE m.seq IS NULL;
    UPDATE messages m SET delivered_by = i.u, delivered_ms = i.ms
        FROM json_to_recordset(p) AS i(r int, s bigint, u text, ms bigint)
        WHERE m.room_id = i.r AND m.seq = i.s AND m.delivered_by IS NULL;
    RETURN v_repeated;
END
$$;
