-- Version 1. Times are whole microseconds since 1970 in UTC unless a comment says otherwise.
-- No STRICT, RETURNING or ->>: the SQLite of long-lived distributions (3.34) must read this file too.

-- What happened, in the order of arrival. seq is the value of the ledger's journal_rows when the row was written,
-- so it is never given twice, not even after pruning.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    device      TEXT NOT NULL,
    peer        TEXT,
    event       TEXT,
    duplicate   INTEGER NOT NULL CHECK (duplicate IN (0, 1)),
    json        TEXT NOT NULL
);
CREATE INDEX events_received_at ON events (received_at);
CREATE INDEX events_device ON events (device);
CREATE INDEX events_peer ON events (peer) WHERE peer IS NOT NULL;
CREATE INDEX events_event ON events (event);

-- Which event is told of in which incident. The incident may be decided later than the event, hence no reference.
CREATE TABLE links (
    event    INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    incident TEXT NOT NULL,
    PRIMARY KEY (event, incident)
) WITHOUT ROWID;
CREATE INDEX links_incident ON links (incident, event);

CREATE TABLE incidents (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    status      TEXT NOT NULL CHECK (status IN ('open', 'resolved')),
    kind        TEXT NOT NULL,
    severity    TEXT NOT NULL,
    device      TEXT NOT NULL,
    peer        TEXT,
    site        TEXT,
    opened_at   INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    resolved_at INTEGER,
    json        TEXT NOT NULL,
    CHECK ((status = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE INDEX incidents_status ON incidents (status, resolved_at);
CREATE INDEX incidents_device ON incidents (device);
CREATE INDEX incidents_peer ON incidents (peer);

-- What the correlator has to know after a restart.
CREATE TABLE states (
    key  TEXT PRIMARY KEY,
    blob BLOB NOT NULL
) WITHOUT ROWID;

-- What has to be told. place is the rank in the queue of the channel: its own seq, or that of the earlier
-- notification it took the place of. next_at is Unix seconds, 0 = at once.
CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    place      INTEGER NOT NULL,
    channel    TEXT NOT NULL,
    incident   TEXT NOT NULL REFERENCES incidents (id),
    what       TEXT NOT NULL CHECK (what IN ('opened', 'updated', 'resolved')),
    state      TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'superseded')),
    attempts   INTEGER NOT NULL,
    next_at    REAL NOT NULL,
    created_at INTEGER NOT NULL,
    settled_at INTEGER,
    last_error TEXT,
    json       TEXT NOT NULL,
    CHECK ((state = 'pending') = (settled_at IS NULL))
);
CREATE UNIQUE INDEX outbox_queue ON outbox (channel, place) WHERE state = 'pending';
CREATE INDEX outbox_incident ON outbox (incident, channel);
CREATE INDEX outbox_unsent ON outbox (settled_at) WHERE state IN ('dead', 'superseded');

-- The newest messages that could not be decoded, bounded in number and in bytes.
CREATE TABLE malformed (
    seq         INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    json        TEXT NOT NULL
);

-- Running totals over the life of this file.
CREATE TABLE ledger (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO ledger (name, value) VALUES
    ('journal_rows', 0), ('pruned_journal_rows', 0),
    ('incidents_stored', 0), ('pruned_incidents', 0),
    ('malformed_rows', 0), ('pruned_malformed_rows', 0),
    ('malformed_bytes', 0), ('pruned_malformed_bytes', 0),
    ('notifications_enqueued', 0),
    ('notifications_delivered', 0), ('pruned_notifications_delivered', 0),
    ('notifications_dead', 0), ('pruned_notifications_dead', 0),
    ('notifications_superseded', 0), ('pruned_notifications_superseded', 0);

-- Small things that must survive a restart, such as the SNMP engine id and its boot counter.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
