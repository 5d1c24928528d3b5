-- Every statement of the running service, by name. `{where}` is filled from the tables of filters in reader.py.

-- name: ledger
SELECT name, value FROM ledger;

-- name: ledger_add
INSERT INTO ledger (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;

-- name: state_put
INSERT INTO states (key, blob) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET blob = excluded.blob;

-- name: state_delete
DELETE FROM states WHERE key = ?;

-- name: states
SELECT key, blob FROM states ORDER BY key;

-- name: meta_get
SELECT value FROM meta WHERE key = ?;

-- name: meta_set
INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: event_insert
INSERT INTO events (seq, received_at, device, peer, event, duplicate, json) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: link_insert
INSERT OR IGNORE INTO links (event, incident) VALUES (?, ?);

-- name: events
SELECT seq, duplicate, json, (SELECT json_group_array(incident) FROM links WHERE event = seq) FROM events
WHERE {where} ORDER BY seq DESC LIMIT :limit;

-- name: devices_heard
SELECT DISTINCT device FROM events;

-- name: incident_insert
INSERT INTO incidents (seq, id, status, kind, severity, device, peer, site, opened_at, updated_at, resolved_at, json)
VALUES (:seq, :id, :status, :kind, :severity, :device, :peer, :site, :opened_at, :updated_at, :resolved_at, :json);

-- name: incident_update
UPDATE incidents SET status = :status, kind = :kind, severity = :severity, device = :device, peer = :peer, site = :site,
    opened_at = :opened_at, updated_at = :updated_at, resolved_at = :resolved_at, json = :json
WHERE id = :id;

-- name: incident
SELECT json FROM incidents WHERE id = ?;

-- name: incidents
SELECT seq, json FROM incidents WHERE {where} ORDER BY seq DESC LIMIT :limit;

-- name: incidents_of_status
SELECT json FROM incidents WHERE status = ? ORDER BY seq;

-- name: incidents_announced
SELECT json FROM incidents
WHERE (status = 'open' OR (status = 'resolved' AND resolved_at >= :resolved_since))
    AND EXISTS (
        SELECT 1 FROM outbox
        WHERE outbox.incident = incidents.id AND channel = :channel AND state IN ('pending', 'delivered')
    )
ORDER BY seq;

-- name: malformed_insert
INSERT INTO malformed (seq, received_at, size, json) VALUES (?, ?, ?, ?);

-- name: malformed
SELECT seq, json FROM malformed WHERE {where} ORDER BY seq DESC LIMIT :limit;

-- name: malformed_oldest
SELECT seq, size FROM malformed ORDER BY seq;

-- name: malformed_delete
DELETE FROM malformed WHERE seq <= ?;

-- name: outbox_known
SELECT 1 FROM outbox WHERE id = ?;

-- name: outbox_latest
SELECT id, lane, place, what, attempts FROM outbox WHERE incident = ? AND channel = ? AND state = 'pending'
ORDER BY seq DESC LIMIT 1;

-- name: outbox_all_clear
SELECT 1 FROM outbox WHERE incident = ? AND channel = ? AND state = 'pending' AND what = 'resolved';

-- name: outbox_insert
INSERT INTO outbox (seq, id, lane, place, channel, incident, what, state, attempts, next_at, created_at, json)
VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, 0, ?, ?);

-- name: outbox_head
SELECT id, next_at, attempts, json FROM outbox WHERE channel = ? AND lane = ? AND state = 'pending'
ORDER BY place LIMIT 1;

-- name: outbox_heads
SELECT id FROM outbox JOIN (
    SELECT channel AS queue, lane AS side, min(place) AS first FROM outbox WHERE state = 'pending'
    GROUP BY channel, lane
) ON channel = queue AND lane = side AND place = first
WHERE state = 'pending';

-- name: outbox_pending
SELECT channel FROM outbox WHERE id = ? AND state = 'pending';

-- name: outbox_settle
UPDATE outbox SET state = ?, settled_at = ?, last_error = ? WHERE id = ?;

-- name: outbox_try
UPDATE outbox SET attempts = attempts + 1, next_at = ?, last_error = ? WHERE id = ?;

-- name: outbox_counts
SELECT channel, state, count(*) FROM outbox GROUP BY channel, state ORDER BY channel, state;

-- Retention. The cut is the oldest time to keep.

-- name: prune_incidents
SELECT id FROM incidents
WHERE status = 'resolved' AND resolved_at < :cut
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.incident = incidents.id AND state = 'pending')
    AND id NOT IN (
        SELECT value FROM incidents AS still, json_each(still.json, '$.children') WHERE still.status = 'open'
        UNION SELECT json_extract(json, '$.parent') FROM incidents
        WHERE status = 'open' AND json_extract(json, '$.parent') IS NOT NULL
    )
ORDER BY resolved_at LIMIT :limit;

-- name: prune_outbox_of
SELECT seq, channel, state FROM outbox WHERE incident = ?;

-- name: prune_outbox_unsent
SELECT seq, channel, state FROM outbox WHERE state IN ('dead', 'superseded') AND settled_at < :cut LIMIT :limit;

-- name: prune_events
SELECT received_at, seq, EXISTS (
    SELECT 1 FROM links JOIN incidents ON incidents.id = links.incident WHERE links.event = events.seq
) FROM events
WHERE received_at < :cut AND (received_at, seq) > (:after_time, :after_seq) ORDER BY received_at, seq LIMIT :limit;

-- name: prune_malformed
SELECT seq, size FROM malformed WHERE received_at < :cut ORDER BY seq LIMIT :limit;

-- name: event_delete
DELETE FROM events WHERE seq = ?;

-- name: incident_delete
DELETE FROM incidents WHERE id = ?;

-- name: outbox_delete
DELETE FROM outbox WHERE seq = ?;

-- name: malformed_delete_one
DELETE FROM malformed WHERE seq = ?;
