-- What must be true of the file at any time. Each statement gives one sentence per violation, and no row if all is well.

-- name: journal_balances
SELECT 'journal: ' || kept || ' rows kept and ' || pruned || ' pruned, but the ledger has written ' || written FROM (
    SELECT (SELECT count(*) FROM events) AS kept,
        (SELECT value FROM ledger WHERE name = 'journal_rows') AS written,
        (SELECT value FROM ledger WHERE name = 'pruned_journal_rows') AS pruned
) WHERE kept + pruned IS NOT written;

-- name: journal_numbers_are_of_the_past
SELECT 'journal: row ' || last || ' is beyond the ledger' FROM (SELECT max(seq) AS last FROM events)
WHERE last > (SELECT value FROM ledger WHERE name = 'journal_rows');

-- name: incidents_balance
SELECT 'incidents: ' || kept || ' kept and ' || pruned || ' pruned, but the ledger has stored ' || stored FROM (
    SELECT (SELECT count(*) FROM incidents) AS kept,
        (SELECT value FROM ledger WHERE name = 'incidents_stored') AS stored,
        (SELECT value FROM ledger WHERE name = 'pruned_incidents') AS pruned
) WHERE kept + pruned IS NOT stored;

-- name: malformed_balances
SELECT 'malformed: ' || kept || ' kept and ' || pruned || ' pruned, but the ledger has written ' || written FROM (
    SELECT (SELECT count(*) FROM malformed) AS kept,
        (SELECT value FROM ledger WHERE name = 'malformed_rows') AS written,
        (SELECT value FROM ledger WHERE name = 'pruned_malformed_rows') AS pruned
) WHERE kept + pruned IS NOT written;

-- name: malformed_bytes_balance
SELECT 'malformed: ' || kept || ' bytes kept and ' || pruned || ' pruned, but the ledger has written ' || written FROM (
    SELECT (SELECT coalesce(sum(size), 0) FROM malformed) AS kept,
        (SELECT value FROM ledger WHERE name = 'malformed_bytes') AS written,
        (SELECT value FROM ledger WHERE name = 'pruned_malformed_bytes') AS pruned
) WHERE kept + pruned IS NOT written;

-- name: outbox_states_balance
SELECT 'outbox: ' || kept || ' ' || state || ' kept and ' || pruned || ' pruned, but the ledger has ' || total FROM (
    SELECT column1 AS state,
        (SELECT count(*) FROM outbox WHERE outbox.state = column1) AS kept,
        (SELECT value FROM ledger WHERE name = 'notifications_' || column1) AS total,
        (SELECT value FROM ledger WHERE name = 'pruned_notifications_' || column1) AS pruned
    FROM (VALUES ('delivered'), ('dead'), ('superseded'))
) WHERE kept + pruned IS NOT total;

-- name: outbox_balances
SELECT 'outbox: ' || pending || ' pending and ' || settled || ' settled, but the ledger has enqueued ' || enqueued FROM (
    SELECT (SELECT count(*) FROM outbox WHERE state = 'pending') AS pending,
        (SELECT value FROM ledger WHERE name = 'notifications_enqueued') AS enqueued,
        (SELECT sum(value) FROM ledger
         WHERE name IN ('notifications_delivered', 'notifications_dead', 'notifications_superseded')) AS settled
) WHERE pending + settled IS NOT enqueued;

-- name: notifications_have_their_incident
SELECT 'outbox: notification ' || id || ' is about incident ' || incident || ', which is not there' FROM outbox
WHERE NOT EXISTS (SELECT 1 FROM incidents WHERE incidents.id = outbox.incident);

-- name: a_place_taken_over_was_superseded
SELECT 'outbox: notification ' || id || ' stands at place ' || place || ', which another still holds' FROM outbox
WHERE place <> seq AND EXISTS (SELECT 1 FROM outbox AS old WHERE old.seq = outbox.place AND old.state <> 'superseded');

-- name: incidents_say_what_their_columns_say
SELECT 'incidents: ' || id || ' differs from its columns' FROM incidents
WHERE json_extract(json, '$.id') IS NOT id OR json_extract(json, '$.status') IS NOT status
    OR json_extract(json, '$.kind') IS NOT kind OR json_extract(json, '$.severity') IS NOT severity
    OR json_extract(json, '$.device') IS NOT device OR json_extract(json, '$.peer') IS NOT peer;

-- name: links_have_their_event
SELECT 'journal: incident ' || incident || ' is linked to event ' || event || ', which is not there' FROM links
WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.seq = links.event);

-- name: references_hold
SELECT 'reference broken: ' || "table" || ' row ' || coalesce(rowid, '?') || ' to ' || "parent"
FROM pragma_foreign_key_check;

-- name: pages_are_intact
SELECT 'file damaged: ' || quick_check FROM pragma_quick_check WHERE quick_check <> 'ok';

-- name: outbox_counts_agree
SELECT 'outbox: ' || n || ' ' || state || ' of ' || channel || ' are counted, and ' || kept || ' kept' FROM (
    SELECT channel, state, sum(counted) AS n, sum(there) AS kept FROM (
        SELECT channel, state, n AS counted, 0 AS there FROM outbox_kept UNION ALL SELECT channel, state, 0, 1 FROM outbox
    ) GROUP BY channel, state
) WHERE kept <> n;

-- name: reasons_are_there
SELECT 'journal: the reason of row ' || seq || ' is not there' FROM events
WHERE reason IS NOT NULL AND NOT EXISTS (SELECT 1 FROM reasons WHERE reasons.seq = events.reason);

-- name: events_are_within_their_hours
SELECT 'journal: row ' || seq || ' is not among those of its hour' FROM events LEFT JOIN hours
    ON hour = received_at / 3600000000 WHERE hour IS NULL OR seq NOT BETWEEN first AND last;
