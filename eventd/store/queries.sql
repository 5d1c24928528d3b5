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

-- name: meta_delete
DELETE FROM meta WHERE key = ?;

-- name: event_insert
INSERT INTO events (seq, received_at, device, peer, event, duplicate, json, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: reason_insert
INSERT INTO reasons (seq, json) VALUES (?, ?);

-- Of the rows from that number on.
-- name: hours_put
INSERT INTO hours (hour, first, last)
SELECT received_at / 3600000000, min(seq), max(seq) FROM events WHERE seq >= ? GROUP BY 1
ON CONFLICT (hour) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last);

-- name: link_insert
INSERT OR IGNORE INTO links (event, incident) VALUES (?, ?);

-- Which they are is answered from an index where that has all that is asked for; whole rows are read for one page only.
-- name: events
SELECT seq, duplicate, json, (SELECT json_group_array(incident) FROM links WHERE event = seq),
    (SELECT json FROM reasons WHERE seq = events.reason)
FROM events
WHERE seq IN (SELECT seq FROM events WHERE {where} ORDER BY seq DESC LIMIT :limit) ORDER BY seq DESC;

-- Of one peer or device: from the latest block of its index back, until enough are found. Rows of `found` have the block
-- to look into next, how many were missing before the last one, and what that one had. An empty block (schema version 11)
-- takes some 5 us, so that a peer of which there is nothing among ten million events takes a few milliseconds.
-- name: events_of
WITH RECURSIVE found (block, missing, seqs) AS (
    SELECT max(seq) >> 14, :limit, '[]' FROM events WHERE seq <= min(  -- of two bounds SQLite searches by one only
        coalesce(:before - 1, 1 << 62),
        iif(:until IS NULL, 1 << 62, (SELECT max(last) FROM hours WHERE hour <= :until / 3600000000)))
    UNION ALL
    SELECT (SELECT max(seq) >> 14 FROM events WHERE seq < block << 14), missing - json_array_length(seqs), (
        SELECT json_group_array(seq) FROM (
            SELECT seq FROM events WHERE seq >> 14 = block AND {where} ORDER BY seq DESC LIMIT :limit
        )
    ) FROM found WHERE missing > json_array_length(seqs)
        AND block >= iif(:since IS NULL, 0, (SELECT min(first) >> 14 FROM hours WHERE hour >= :since / 3600000000))
)
SELECT seq, duplicate, json, (SELECT json_group_array(incident) FROM links WHERE event = seq),
    (SELECT json FROM reasons WHERE seq = events.reason)
FROM events
WHERE seq IN (SELECT value FROM found, json_each(seqs)) ORDER BY seq DESC LIMIT :limit;

-- By time alone, which steps back where a clock was set back.
-- name: events_then
SELECT seq, duplicate, json, (SELECT json_group_array(incident) FROM links WHERE event = seq),
    (SELECT json FROM reasons WHERE seq = events.reason)
FROM events
WHERE {where} ORDER BY received_at DESC, seq DESC LIMIT :limit;

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

-- name: incidents_critical
SELECT id FROM incidents WHERE severity = 'critical' AND status = 'open';

-- name: incidents_of_status
SELECT json FROM incidents WHERE status = ? ORDER BY seq;

-- name: incidents_over
SELECT json FROM incidents WHERE status = 'resolved' AND json_extract(json, '$.parent') IS NULL
ORDER BY resolved_at DESC, seq DESC LIMIT :limit;

-- With those that another incident tells, which may be another device's.
-- name: incidents_over_of
SELECT json FROM incidents INDEXED BY incidents_over WHERE status = 'resolved' AND device = :device
ORDER BY resolved_at DESC, seq DESC LIMIT :limit;

-- name: incidents_announced
-- Without the news where all that the channel is told of it took the place of what it would be news to.
SELECT CASE WHEN (
    SELECT count(*) = 1 AND max(json_extract(outbox.json, '$.untold_since')) IS NOT NULL
        AND max(json_extract(outbox.json, '$.incident.news')) IS json_extract(incidents.json, '$.news')
    FROM outbox WHERE outbox.incident = incidents.id AND channel = :channel AND state IN ('pending', 'delivered')
) THEN json_remove(json, '$.news') ELSE json END FROM incidents
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
SELECT id, lane, place, what, next_at, wanted_at, attempts, last_error, alone, digest FROM outbox INDEXED BY outbox_waiting
WHERE incident = ? AND channel = ? AND state = 'pending' ORDER BY seq DESC LIMIT 1;

-- name: outbox_all_clear
SELECT 1 FROM outbox INDEXED BY outbox_waiting
WHERE incident = ? AND channel = ? AND state = 'pending' AND what = 'resolved';

-- name: outbox_announced
SELECT id FROM outbox
WHERE incident = ? AND channel = ? AND (state = 'delivered' OR (state = 'pending' AND (attempts > 0 OR escalates = 0)));

-- name: outbox_told
SELECT 1 FROM outbox
WHERE incident = ? AND channel = ? AND (state = 'delivered' OR heard = 1) LIMIT 1;

-- Whether a channel is told of an incident at all.
-- name: outbox_tells
SELECT 1 FROM outbox WHERE incident = ? AND channel = ? AND state != 'dead' LIMIT 1;

-- What came in behind one that was being told.
-- name: outbox_behind
SELECT one.what, one.lane, one.place, one.wanted_at, later.seq, later.what, later.json
FROM outbox AS one JOIN outbox AS later INDEXED BY outbox_waiting
    ON later.incident = one.incident AND later.channel = one.channel AND later.state = 'pending'
WHERE one.id = ? AND one.digest IS NULL AND one.alone = 0 AND later.seq > one.seq AND later.digest IS NULL
ORDER BY later.seq LIMIT 1;

-- name: outbox_moves_up
UPDATE outbox SET what = :what, lane = :lane, place = :place, wanted_at = :wanted_at, json = :json,
    (attempts, next_at, last_error) = (SELECT attempts, next_at, last_error FROM outbox WHERE id = :earlier)
WHERE id = :id;

-- name: outbox_delivered
SELECT 1 FROM outbox WHERE incident = ? AND channel = ? AND state = 'delivered' LIMIT 1;

-- name: outbox_trouble
SELECT count(*), max(CASE WHEN last_error LIKE 'rate_limited%' THEN next_at ELSE 0 END) FROM outbox
WHERE channel = ? AND state = 'pending' AND attempts > 0;

-- name: outbox_refused
SELECT coalesce(digest, id), min(refused_at) FROM outbox INDEXED BY outbox_queue
WHERE channel = ? AND state = 'pending' AND refused_at IS NOT NULL GROUP BY 1;

-- name: outbox_insert
INSERT INTO outbox
    (seq, id, lane, place, channel, incident, what, state, attempts, next_at, created_at, wanted_at, held, escalates,
    catches_up, last_error, json)
VALUES (
    :seq, :id, :lane, :place, :channel, :incident, :what, 'pending', :attempts, :next_at, :created_at, :wanted_at, :held,
    :escalates, :catches_up, :last_error, :json
);

-- Whose turn it is: the first of each incident, if it is due. One that was put off for longer than a far end may ask for
-- was put off before the clock was set back. Without the names of indexes each row is compared with all before it.
-- name: outbox_due
SELECT id, attempts, json, wanted_at, held, catches_up, incident FROM outbox AS one INDEXED BY outbox_queue
WHERE channel = :channel AND state = 'pending' AND digest IS NULL
    AND (next_at <= :now OR (attempts > 0 AND next_at > :beyond))
    AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier INDEXED BY outbox_waiting
        WHERE earlier.incident = one.incident AND earlier.channel = one.channel AND earlier.state = 'pending'
            AND (earlier.lane, earlier.place) < (one.lane, one.place)
    )
ORDER BY lane, place LIMIT :limit;

-- What of one incident follows the one whose turn it is.
-- name: outbox_of
SELECT id, next_at FROM outbox INDEXED BY outbox_waiting WHERE incident = ? AND channel = ? AND state = 'pending'
ORDER BY lane, place;

-- name: outbox_next
SELECT next_at FROM outbox AS one INDEXED BY outbox_times
WHERE channel = ? AND state = 'pending' AND NOT EXISTS (
    SELECT 1 FROM outbox AS earlier INDEXED BY outbox_waiting
    WHERE earlier.incident = one.incident AND earlier.channel = one.channel AND earlier.state = 'pending'
        AND (earlier.lane, earlier.place) < (one.lane, one.place)
) ORDER BY next_at LIMIT 1;

-- name: in_flight
SELECT channel, id FROM in_flight;

-- name: in_flight_set
INSERT INTO in_flight (channel, id) VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET id = excluded.id;

-- name: in_flight_over
DELETE FROM in_flight WHERE id = ?;

-- name: outbox_single
SELECT id, attempts, json FROM outbox WHERE id = ? AND state = 'pending' AND digest IS NULL;

-- name: outbox_alone
SELECT id, attempts, json FROM outbox INDEXED BY outbox_alone
WHERE channel = :channel AND state = 'pending' AND alone = 1 AND (next_at <= :now OR next_at > :beyond)
ORDER BY next_at, seq LIMIT 1;

-- name: outbox_leave_alone
UPDATE outbox SET alone = 1 WHERE id = ?;

-- name: outbox_thread
SELECT receipt FROM outbox
WHERE incident = ? AND channel = ? AND state = 'delivered' AND receipt IS NOT NULL ORDER BY seq LIMIT 1;

-- name: outbox_pending
SELECT id, channel FROM outbox WHERE (id = :id OR digest = :id) AND state = 'pending' ORDER BY seq;

-- name: outbox_give_up
UPDATE outbox SET state = 'dead', settled_at = ?, last_error = ? WHERE channel = ? AND state = 'pending';

-- name: outbox_settle
UPDATE outbox SET state = ?, settled_at = ?, last_error = ?, receipt = ? WHERE id = ?;

-- name: outbox_try
UPDATE outbox SET attempts = attempts + 1, next_at = ?, last_error = ?, heard = max(heard, ?),
    refused_at = coalesce(refused_at, ?)
WHERE id = ?;

-- name: digest_insert
INSERT INTO digests (id, channel, why, created_at, more) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET why = excluded.why, created_at = excluded.created_at, more = excluded.more;

-- name: digest_seal
UPDATE outbox SET digest = ? WHERE id = ?;

-- Sealed and not settled, the oldest first.
-- name: digest_pending
SELECT digests.id, why, digests.created_at, more, max(next_at), max(attempts) FROM outbox INDEXED BY outbox_sealed
JOIN digests ON digests.id = outbox.digest
WHERE outbox.state = 'pending' AND outbox.digest IS NOT NULL AND outbox.channel = ?
GROUP BY digests.id ORDER BY digests.created_at, digests.id;

-- Sealed for a channel that showed more in one message.
-- name: digest_larger
SELECT digest FROM outbox INDEXED BY outbox_sealed
WHERE channel = :channel AND state = 'pending' AND digest IS NOT NULL
GROUP BY digest HAVING count(DISTINCT incident) > :most;

-- name: digest_unseal
UPDATE outbox SET digest = NULL WHERE channel = ? AND digest = ? AND state = 'pending';

-- name: digest_members
SELECT id, attempts, json FROM outbox WHERE digest = ? AND state = 'pending' ORDER BY lane, place;

-- name: digests_unused
DELETE FROM digests WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.digest = digests.id);

-- name: outbox_counts
SELECT channel, state, n FROM outbox_kept WHERE n > 0 ORDER BY channel, state;

-- name: outbox_letters
SELECT seq, json, state, attempts, next_at, settled_at, last_error, digest, sent_again_as, dropped_by, (
    SELECT id FROM outbox AS earlier INDEXED BY outbox_waiting
    WHERE earlier.incident = one.incident AND earlier.channel = one.channel AND earlier.state = 'pending'
        AND one.state = 'pending' AND (earlier.lane, earlier.place) < (one.lane, one.place)
    ORDER BY lane, place LIMIT 1
) FROM outbox AS one
WHERE {where} ORDER BY seq DESC LIMIT :limit;

-- Since when the oldest of what should have been told waits.
-- name: outbox_oldest
SELECT channel, min(wanted_at) FROM outbox INDEXED BY outbox_times WHERE state = 'pending' AND wanted_at <= ? GROUP BY channel;

-- name: outbox_dead
SELECT channel, count(*) FROM outbox INDEXED BY outbox_unseen
WHERE state = 'dead' AND sent_again_as IS NULL AND dropped_by IS NULL GROUP BY channel;

-- What waits although it was tried, and what the far end answered to the latest of it.
-- name: outbox_failing
SELECT channel, count(*), min(wanted_at), last_error, max(seq) FROM outbox INDEXED BY outbox_undelivered
WHERE state IN ('pending', 'dead') AND state = 'pending' AND attempts > 0 GROUP BY channel ORDER BY channel;

-- What is told in one digest is tried in one message.
-- name: outbox_at_once
UPDATE outbox SET next_at = 0
WHERE state = 'pending' AND (id = :id OR digest = (SELECT digest FROM outbox WHERE id = :id));

-- name: outbox_sent_again
UPDATE outbox SET sent_again_as = ? WHERE id = ?;

-- name: outbox_dropped
UPDATE outbox SET dropped_by = ? WHERE id = ?;

-- Retention. The cut is the oldest time to keep.

-- Whom open incidents name, as one JSON list.
-- name: incidents_named
WITH naming AS MATERIALIZED (
    SELECT json FROM incidents INDEXED BY incidents_naming
    WHERE status = 'open' AND (instr(json, '"parent":"') OR instr(json, '"children":["'))
)
SELECT json_group_array(value) FROM (
    SELECT value FROM naming, json_each(naming.json, '$.children')
    UNION SELECT json_extract(json, '$.parent') FROM naming WHERE json_extract(json, '$.parent') IS NOT NULL
);

-- name: prune_incidents
SELECT id FROM incidents
WHERE status = 'resolved' AND resolved_at < :cut
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.incident = incidents.id AND state = 'pending')
    AND id NOT IN (SELECT value FROM json_each(:named))
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

-- name: prune_hours
DELETE FROM hours WHERE last < (SELECT min(seq) FROM events);

-- Of blocks of which nothing is left, among those of rows between which a slice removed some.
-- name: prune_reasons
DELETE FROM reasons WHERE seq BETWEEN ? >> 14 << 14 AND ? | 16383 AND NOT EXISTS (
    SELECT 1 FROM events WHERE events.seq BETWEEN reasons.seq >> 14 << 14 AND reasons.seq | 16383
);

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
