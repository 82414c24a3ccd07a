-- How records are written: a batch is one call, and so one statement. No lock is ever held while a
-- node is waited for; a node that is stopped holds none.
--
-- Errors of its own, by which the caller knows that nothing was written, and why:
--   CHD01  the batch is not the next one of its node: it was carried out, or the node was replaced
--   CHD02  rooms have other messages than the caller knew, where that matters
--   CHD03  ids with a scope are in the log, and the caller does not know
--   CHD04  a change does not follow on the last one of its room
--   CHD05  a message of the same id is in the room, with its scope, or a message is not there

-- Rooms that have no number yet get one. They are never removed.
CREATE FUNCTION number_rooms(p_names text[]) RETURNS TABLE (name text, id int)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rooms (connection_id) SELECT n FROM unnest(p_names) n ORDER BY n COLLATE "C"
        ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT r.connection_id, r.room_id FROM rooms r
        WHERE r.connection_id = ANY (p_names);
END
$$;

-- p_rooms are the rooms whose messages or changes are numbered, ascending. For each of them: how many
-- messages and changes it gets, its last seq and rev as the caller knows them, null where any will do.
-- p_messages have the index of their room in "a", and their number among the messages that it gets in
-- "k"; p_mentioning names those that mention users in the same way. p_twins are ids that no message may have, null where the caller knows of no scoped ids.
-- Returns the last seq that each room had before.
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
    p_others json
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_seqs bigint[];
    v_revs bigint[];
    v_scoped boolean;
BEGIN
    UPDATE nodes SET commits = p_number, beat = clock_timestamp()
        WHERE node_id = p_node AND commits = p_number - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'batch % is not the next one of node %', p_number, p_node
            USING ERRCODE = 'CHD01';
    END IF;
    -- Ascending, so that no two batches wait for each other.
    SELECT array_agg(l.last_seq ORDER BY l.room_id), array_agg(l.last_rev ORDER BY l.room_id)
        INTO v_seqs, v_revs
        FROM (SELECT room_id, last_seq, last_rev FROM rooms WHERE room_id = ANY (p_rooms)
              ORDER BY room_id FOR NO KEY UPDATE) l;
    IF EXISTS (SELECT FROM unnest(p_last_seqs, v_seqs) u(known, found) WHERE u.known <> u.found) THEN
        RAISE EXCEPTION 'rooms have other messages' USING ERRCODE = 'CHD02';
    END IF;
    IF EXISTS (SELECT FROM unnest(p_last_revs, v_revs) u(known, found) WHERE u.known <> u.found) THEN
        RAISE EXCEPTION 'a change does not follow on the last one of its room'
            USING ERRCODE = 'CHD04';
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
            SELECT p_rooms[i.a], v_seqs[i.a] + i.k, decode(i.i, 'hex'), decode(i.t, 'hex'), i.ms,
                   i.u, i.n, i.x, i.c, decode(i.r, 'hex'), i.w
            FROM json_to_recordset(p_messages) AS i(a int, k bigint, i text, t text, ms bigint,
                u text, n text, x text, c text, r text, w text);
        INSERT INTO mentions (room_id, seq, author, users)
            SELECT p_rooms[i.a], v_seqs[i.a] + i.k, i.u, i.m
            FROM json_to_recordset(p_mentioning) AS i(a int, k bigint, u text, m jsonb);
    END IF;
    UPDATE rooms r SET last_seq = r.last_seq + n.messages, last_rev = r.last_rev + n.changes
        FROM unnest(p_rooms, p_messages_of, p_changes_of) n(room, messages, changes)
        WHERE r.room_id = n.room;
    IF p_others IS NOT NULL THEN
        PERFORM keep_members(p_others);
        PERFORM keep_changes(p_others);
        PERFORM keep_others(p_node, p_others);
    END IF;
    RETURN coalesce(v_seqs, '{}');
END
$$;

-- Who was removed and came again in one batch has joined anew; a first joining stands else. Rows of
-- members are taken in order of room and user.
CREATE FUNCTION keep_members(p json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM members m
        USING json_to_recordset(p -> 'removed') AS i(r int, u text)
        WHERE m.room_id = i.r AND m.user_id = i.u;
    INSERT INTO members (room_id, user_id, joined_ms, away_seq, away_ms, gaps, fallen, read_seq,
                         name)
        SELECT i.r, i.u, i.j, i.a, i.ms, i.g, i.f, i.s, i.n
        FROM json_to_recordset(p -> 'members') AS i(r int, u text, j bigint, a bigint, ms bigint,
            g jsonb, f jsonb, s bigint, n text)
        ORDER BY i.r, i.u COLLATE "C"
        ON CONFLICT (user_id, room_id) DO UPDATE SET
            away_seq = excluded.away_seq, away_ms = excluded.away_ms, gaps = excluded.gaps,
            fallen = excluded.fallen, read_seq = excluded.read_seq, name = excluded.name;
    UPDATE members m SET read_seq = i.s
        FROM json_to_recordset(p -> 'read') AS i(r int, u text, s bigint)
        WHERE m.room_id = i.r AND m.user_id = i.u;
END
$$;

-- A change of a message that is not there fails, by its foreign key.
CREATE FUNCTION keep_changes(p json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (room_id, rev, seq, kind, user_id, at_ms, written)
        SELECT i.r, i.v, i.s, i.k, i.u, i.ms, i.w
        FROM json_to_recordset(p -> 'changes') AS i(r int, v bigint, s bigint, k text, u text,
            ms bigint, w text);
    INSERT INTO changed (room_id, seq, rev, at_ms, edited_rev, edited_ms, content, deleted_ms,
                         reactions)
        SELECT i.r, i.s, i.v, i.ms, i.ev, i.ems, i.c, i.d, i.re
        FROM json_to_recordset(p -> 'changed') AS i(r int, s bigint, v bigint, ms bigint,
            ev bigint, ems bigint, c text, d bigint, re jsonb)
        ON CONFLICT (room_id, seq) DO UPDATE SET
            rev = excluded.rev, at_ms = excluded.at_ms, edited_rev = excluded.edited_rev,
            edited_ms = excluded.edited_ms, content = excluded.content,
            deleted_ms = excluded.deleted_ms, reactions = excluded.reactions;
    INSERT INTO mentions (room_id, seq, author, users)
        SELECT m.room_id, m.seq, m.user_id, i.m
        FROM json_to_recordset(p -> 'mentions') AS i(r int, s bigint, m jsonb)
        JOIN messages m ON m.room_id = i.r AND m.seq = i.s
        WHERE i.m <> '[]'
        ON CONFLICT (room_id, seq) DO UPDATE SET users = excluded.users;
    DELETE FROM mentions n
        USING json_to_recordset(p -> 'mentions') AS i(r int, s bigint, m jsonb)
        WHERE i.m = '[]' AND n.room_id = i.r AND n.seq = i.s;
END
$$;

CREATE FUNCTION keep_others(p_node int, p json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE messages m SET delivered_by = i.u, delivered_ms = i.ms
        FROM json_to_recordset(p -> 'delivered') AS i(r int, s bigint, u text, ms bigint)
        WHERE m.room_id = i.r AND m.seq = i.s AND m.delivered_by IS NULL;
    INSERT INTO answers (question_id, answer_id, room_id, user_id, thread_id, opened_ms, is_to_read,
                         address, node_id)
        SELECT decode(i.q, 'hex'), decode(i.a, 'hex'), i.r, i.u, decode(i.t, 'hex'), i.ms, i.read,
               i.ad, p_node
        FROM json_to_recordset(p -> 'opened') AS i(q text, a text, r int, u text, t text,
            ms bigint, read boolean, ad text);
    UPDATE answers SET is_to_read = false
        WHERE question_id IN (SELECT decode(q, 'hex')
                              FROM json_array_elements_text(p -> 'questions') q);
    DELETE FROM answers
        WHERE is_to_read AND question_id IN (SELECT decode(q, 'hex')
                                             FROM json_array_elements_text(p -> 'talk') q);
    UPDATE answers n SET state = i.s, answer_id = decode(i.a, 'hex'), is_to_read = false,
                         address = NULL
        FROM json_to_recordset(p -> 'closed') AS i(q text, a text, s text)
        WHERE n.question_id = decode(i.q, 'hex');
    INSERT INTO audit (at_ms, action, user_id, outcome, address, room, message_id, statement,
                       target, format, code, rows, size_bytes, elapsed_ms, span)
        SELECT i.at_ms, i.action, i.user_id, i.outcome, i.address, i.room, i.message_id,
               i.statement, i.target, i.format, i.code, i.rows, i.size_bytes, i.elapsed_ms, i.span
        FROM json_to_recordset(p -> 'audit') AS i(at_ms bigint, action text, user_id text,
            outcome text, address text, room text, message_id text, statement text, target text,
            format text, code text, rows bigint, size_bytes bigint, elapsed_ms bigint, span text);
    IF p -> 'erased' IS NOT NULL THEN
        PERFORM scrub(p -> 'erased');
    END IF;
END
$$;

-- Leave nothing of messages but their places, and whose they are said to be.
CREATE FUNCTION scrub(p json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM changes c USING json_to_recordset(p) AS i(r int, s bigint, v bigint)
        WHERE c.room_id = i.r AND c.seq = i.s AND c.rev <> i.v;
    DELETE FROM mentions n USING json_to_recordset(p) AS i(r int, s bigint)
        WHERE n.room_id = i.r AND n.seq = i.s;
    DELETE FROM answers a USING json_to_recordset(p) AS i(r int, s bigint), messages m
        WHERE m.room_id = i.r AND m.seq = i.s AND a.question_id IN (m.message_id, m.reply_to);
    UPDATE messages m SET user_id = i.u, name = NULL, context = NULL, content = '', answer = NULL
        FROM json_to_recordset(p) AS i(r int, s bigint, u text)
        WHERE m.room_id = i.r AND m.seq = i.s;
    UPDATE audit SET statement = NULL
        WHERE statement IS NOT NULL AND message_id IN (
            SELECT i.id FROM json_to_recordset(p) AS i(id text));
END
$$;
