-- An answer has one end over all nodes. What closes one that has ended already, by whichever node, is
-- refused as a whole (CHD07), with the message that would have been its second end. So is the end of
-- an answer that an erasure has taken away, while its question has left a place. Where retention has
-- removed the question itself, the end is stored as ever: the room waits for it.
--
-- "node_id" of an open answer is the life of the node that owes the end. A node that starts takes over
-- what nobody owns any more (`claim_answers`).

CREATE OR REPLACE FUNCTION keep_others(p_node int, p json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
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
    IF p -> 'closed' IS NOT NULL THEN
        PERFORM close_answers(p -> 'closed');
    END IF;
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

-- Those of these questions whose answers can have no end any more.
CREATE FUNCTION ended_before(p_questions bytea[]) RETURNS TABLE (question_id bytea)
LANGUAGE sql STABLE AS $$
    SELECT q FROM unnest(p_questions) q
    WHERE EXISTS (SELECT FROM answers a WHERE a.question_id = q AND a.state IS NOT NULL)
       OR (NOT EXISTS (SELECT FROM answers a WHERE a.question_id = q)
           AND EXISTS (SELECT FROM messages m WHERE m.message_id = q))
$$;

-- The rows are locked first, so that what is looked at then stays so. In order, so that no two batches
-- wait for each other.
CREATE FUNCTION close_answers(p json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_questions bytea[];
BEGIN
    SELECT array_agg(decode(i.q, 'hex')) INTO v_questions
        FROM json_to_recordset(p) AS i(q text);
    PERFORM FROM answers a WHERE a.question_id = ANY (v_questions)
        ORDER BY a.question_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM ended_before(v_questions)) THEN
        RAISE EXCEPTION 'an answer has ended before' USING ERRCODE = 'CHD07';
    END IF;
    UPDATE answers n SET state = i.s, answer_id = decode(i.a, 'hex'), is_to_read = false,
                         address = NULL
        FROM json_to_recordset(p) AS i(q text, a text, s text)
        WHERE n.question_id = decode(i.q, 'hex');
END
$$;

-- The open answers that no life of a node owns any more become this one's.
CREATE FUNCTION claim_answers(p_node int) RETURNS void LANGUAGE sql AS $$
    UPDATE answers a SET node_id = p_node
        WHERE a.state IS NULL
          AND (a.node_id IS NULL
               OR NOT EXISTS (SELECT FROM nodes n WHERE n.node_id = a.node_id));
$$;
