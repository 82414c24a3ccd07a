-- The index of the search (chatd/postgres_store/search_index.py), which is brought forward behind the
-- commits, room by room.

-- The words are those of chatd/chat/words.py, and "form" names what it made of a text; '' until a
-- node has started here: then what there is already is indexed from the newest message back.
CREATE TABLE search_index (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    form text NOT NULL
);
INSERT INTO search_index (form) VALUES ('');

-- Up to which seq and which rev of a room the index has come. Below or at "older_seq" it is still of
-- another form, or lacks messages; 0 where it is whole.
CREATE TABLE indexed (
    room_id int PRIMARY KEY,
    seq bigint NOT NULL DEFAULT 0,
    rev bigint NOT NULL DEFAULT 0,
    older_seq bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- A row for each message that has a word, as of the edit with "edited_rev", 0 where it was written so.
-- "text" are its words in order, each with a space before and behind it: phrases are looked for there,
-- as a tsvector knows no more than 256 places of a word. "length" is its class of lengths.
CREATE TABLE message_text (
    room_id int NOT NULL,
    seq bigint NOT NULL,
    position bigint NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    timestamp_ms bigint NOT NULL,
    edited_rev bigint NOT NULL,
    length smallint NOT NULL,
    text text COLLATE "C" NOT NULL,
    words tsvector NOT NULL,            -- and the room, as '/12'
    PRIMARY KEY (room_id, seq),
    FOREIGN KEY (room_id, seq) REFERENCES messages ON DELETE CASCADE
);
-- Each search looks through the whole list of what is still to be put in its place: it stays short.
CREATE INDEX message_text_words ON message_text USING gin (words)
    WITH (gin_pending_list_limit = 1024);

-- Only an erasure takes the content of a message away, and then the words go with it.
CREATE FUNCTION unindex_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM message_text WHERE room_id = NEW.room_id AND seq = NEW.seq;
    RETURN NULL;
END
$$;
CREATE TRIGGER message_is_erased AFTER UPDATE OF content ON messages
    FOR EACH ROW EXECUTE FUNCTION unindex_message();
