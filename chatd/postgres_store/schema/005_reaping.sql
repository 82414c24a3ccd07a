-- The lives of nodes, and what is done for one that is dead.
--
-- A node is alive while a session of its own holds the advisory lock that stands for its row
-- (life_key). The server ends that session with the process, or once it has not heard it for the
-- node's "dead_after_s". Whoever gets the lock then may reap.
--
-- "bus" says over which bus the node talks to the others, without a secret; "sockets" how many
-- it had at its last beat.

ALTER TABLE nodes ADD COLUMN bus text NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN sockets int NOT NULL DEFAULT 0;

CREATE FUNCTION life_key(p_node int) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT hashtextextended('chatd life ' || p_node || ' of ' || current_schema(), 0)
$$;

CREATE FUNCTION name_key(p_name text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT hashtextextended('chatd node ' || p_name || ' of ' || current_schema(), 0)
$$;

-- Whether a session holds this lock.
CREATE FUNCTION is_held(p_key bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
            AND d.datname = current_database()
            AND ((l.classid::bigint << 32) | l.objid::bigint) = p_key)
$$;

-- End the life of a node: its own, or that of one that is dead. Null where it is alive, or was ended
-- already; else how many members it left, and the questions whose answers it left open: they are
-- p_heir's from now on. Answers whose node has no row any more are the heir's too. Without an heir the
-- row stays where answers are open, for whoever finds it. Who has the log alone (p_is_alone) need not
-- wait for the server to give the node up.
--
-- Its users have seen a room up to its seq in p_seqs, where p_rooms has the room; else what was
-- stored up to a second before p_until, or before the last beat: rather too little, so that they are
-- owed too much. A node without a name had the log alone, and all who were there; the next one like it
-- sees to them as it begins.
CREATE FUNCTION end_life(
    p_node int,
    p_heir int,
    p_is_alone boolean DEFAULT false,
    p_until timestamptz DEFAULT NULL,
    p_rooms text[] DEFAULT '{}',
    p_seqs bigint[] DEFAULT '{}'
) RETURNS TABLE (members bigint, questions bytea[]) LANGUAGE plpgsql AS $$
DECLARE
    v_had_all boolean;
    v_until timestamptz;
    v_until_ms bigint;
    v_members bigint;
    v_questions bytea[];
BEGIN
    IF NOT p_is_alone AND NOT pg_try_advisory_xact_lock(life_key(p_node)) THEN
        RETURN;
    END IF;
    SELECT n.name = '', coalesce(p_until, n.beat) - interval '1 second'
        INTO v_had_all, v_until
        FROM nodes n WHERE n.node_id = p_node FOR UPDATE;  -- behind a batch that is still under way
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF p_heir IS NOT NULL THEN
        -- Who reaps the heir at the same time waits, and finds what it has inherited.
        PERFORM FROM nodes n WHERE n.node_id = p_heir FOR KEY SHARE;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;
    v_until_ms := extract(epoch FROM v_until) * 1000;
    PERFORM FROM members m
        WHERE p_node = ANY (m.stays)
            OR (v_had_all AND NOT p_is_alone AND m.stays = '{}' AND m.away_seq IS NULL)
        ORDER BY m.room_id, m.user_id COLLATE "C" FOR UPDATE;
    WITH left_ones AS (
        SELECT m.room_id, m.user_id, array_remove(m.stays, p_node) AS stays
        FROM members m
        WHERE p_node = ANY (m.stays)
            OR (v_had_all AND NOT p_is_alone AND m.stays = '{}' AND m.away_seq IS NULL)
    ), seen AS (
        SELECT r.room_id, least(r.last_seq, coalesce(
            s.seq,
            CASE WHEN v_had_all THEN r.last_seq END,
            (SELECT m.seq FROM messages m
             WHERE m.room_id = r.room_id AND m.stored_at < v_until ORDER BY m.seq DESC LIMIT 1),
            r.forgotten_seq)) AS seq
        FROM rooms r LEFT JOIN unnest(p_rooms, p_seqs) s(room, seq) ON s.room = r.connection_id
        WHERE r.room_id IN (SELECT l.room_id FROM left_ones l)
    ), went AS (
        -- What is owed from before is cut where all begins to be owed.
        SELECT m.room_id, m.user_id, s.seq,
            least(v_until_ms, min(g.since) FILTER (WHERE g.last > s.seq)) AS ms,
            coalesce(jsonb_agg(jsonb_build_array(g.first, least(g.last, s.seq), g.since)
                               ORDER BY g.first) FILTER (WHERE g.first <= s.seq), '[]') AS gaps
        FROM left_ones l JOIN members m USING (room_id, user_id) JOIN seen r USING (room_id)
            CROSS JOIN LATERAL (SELECT greatest(r.seq, m.seen_seq)) s(seq)
            LEFT JOIN LATERAL (
                SELECT (e -> 0)::bigint, (e -> 1)::bigint, (e -> 2)::bigint
                FROM jsonb_array_elements(m.gaps) e) g(first, last, since) ON true
        WHERE l.stays = '{}' AND m.away_seq IS NULL AND NOT (v_had_all AND p_is_alone)
        GROUP BY m.room_id, m.user_id, s.seq
    )
    UPDATE members m SET
            stays = l.stays,
            version = pg_current_xact_id()::text::bigint,
            away_seq = CASE WHEN w.user_id IS NULL THEN m.away_seq ELSE w.seq END,
            away_ms = CASE WHEN w.user_id IS NULL THEN m.away_ms ELSE w.ms END,
            gaps = CASE WHEN w.user_id IS NULL THEN m.gaps ELSE w.gaps END
        FROM left_ones l LEFT JOIN went w ON w.room_id = l.room_id AND w.user_id = l.user_id
        WHERE m.room_id = l.room_id AND m.user_id = l.user_id;
    GET DIAGNOSTICS v_members = ROW_COUNT;
    -- Nobody is owed what it has written itself, as over another node.
    WITH own AS (
        SELECT m.room_id, m.user_id, o.seq,
               lag(o.seq, 1, m.away_seq) OVER (PARTITION BY m.room_id, m.user_id ORDER BY o.seq)
                   AS before
        FROM members m JOIN messages o
            ON o.room_id = m.room_id AND o.seq > m.away_seq AND o.user_id = m.user_id
        WHERE m.version = pg_current_xact_id()::text::bigint
    ), between_own AS (
        SELECT o.room_id, o.user_id, max(o.seq) AS seq,
               coalesce(jsonb_agg(jsonb_build_array(o.before + 1, o.seq - 1, v_until_ms)
                                  ORDER BY o.seq) FILTER (WHERE o.before + 1 < o.seq), '[]') AS gaps
        FROM own o GROUP BY o.room_id, o.user_id
    )
    UPDATE members m SET away_seq = b.seq, gaps = m.gaps || b.gaps
        FROM between_own b WHERE m.room_id = b.room_id AND m.user_id = b.user_id;
    IF p_heir IS NOT NULL THEN
        WITH inherited AS (
            UPDATE answers a SET node_id = p_heir
                WHERE a.state IS NULL AND (a.node_id = p_node OR a.node_id IS NULL
                    OR NOT EXISTS (SELECT FROM nodes n WHERE n.node_id = a.node_id))
                RETURNING a.question_id)
        SELECT array_agg(i.question_id) INTO v_questions FROM inherited i;
    END IF;
    DELETE FROM nodes n WHERE n.node_id = p_node AND NOT EXISTS (
        SELECT FROM answers a WHERE a.state IS NULL AND a.node_id = p_node);
    members := v_members;
    questions := coalesce(v_questions, '{}');
    RETURN NEXT;
END
$$;
