-- Version 3. A channel is told of one incident in order, and of others meanwhile; several may be told of in one digest.
-- digest: in which it is told, sealed before the first try so that a repeat lists the same; receipt: what the far end
-- calls the message; held: it waited for the end of quiet hours; escalates: for somebody to acknowledge the incident.
CREATE TABLE digests (
    id         TEXT PRIMARY KEY,
    channel    TEXT NOT NULL,
    why        TEXT NOT NULL CHECK (why IN ('storm', 'late', 'quiet')),
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
ALTER TABLE outbox ADD COLUMN digest TEXT REFERENCES digests (id);
ALTER TABLE outbox ADD COLUMN receipt TEXT;
ALTER TABLE outbox ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1));
ALTER TABLE outbox ADD COLUMN escalates INTEGER NOT NULL DEFAULT 0 CHECK (escalates IN (0, 1));
CREATE INDEX outbox_digest ON outbox (digest) WHERE digest IS NOT NULL;
