-- Version 12. What grows without bound is not counted nor passed over row by row.
-- How many notifications of each channel are kept in each state; kept by the triggers.
CREATE TABLE outbox_kept (
    channel TEXT NOT NULL,
    state   TEXT NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (channel, state)
) WITHOUT ROWID;
INSERT INTO outbox_kept (channel, state, n) SELECT channel, state, count(*) FROM outbox GROUP BY channel, state;
CREATE TRIGGER outbox_comes AFTER INSERT ON outbox BEGIN
    INSERT INTO outbox_kept (channel, state, n) VALUES (new.channel, new.state, 1)
    ON CONFLICT (channel, state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER outbox_changes AFTER UPDATE OF state ON outbox WHEN old.state <> new.state BEGIN
    UPDATE outbox_kept SET n = n - 1 WHERE channel = old.channel AND state = old.state;
    INSERT INTO outbox_kept (channel, state, n) VALUES (new.channel, new.state, 1)
    ON CONFLICT (channel, state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER outbox_goes AFTER DELETE ON outbox BEGIN
    UPDATE outbox_kept SET n = n - 1 WHERE channel = old.channel AND state = old.state;
END;
DROP INDEX outbox_undone;
DROP INDEX outbox_delivered;
-- What was given up and nobody has seen to, however much waits.
CREATE INDEX outbox_unseen ON outbox (channel) WHERE state = 'dead' AND sent_again_as IS NULL AND dropped_by IS NULL;

-- Open incidents that name others (JSON as `rows.text` writes it: no blanks, and no quotes within a text but behind a
-- backslash): whom they name stays, and most name nobody.
CREATE INDEX incidents_naming ON incidents (id)
    WHERE status = 'open' AND (instr(json, '"parent":"') OR instr(json, '"children":["'));

-- Between which numbers the events of each hour (of received_at, counted since 1970) are: what is asked for by time and
-- by something else is looked for between them. Hours may overlap, since a clock may be set back.
CREATE TABLE hours (
    hour  INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL
);
INSERT INTO hours (hour, first, last) SELECT received_at / 3600000000, min(seq), max(seq) FROM events GROUP BY 1;
