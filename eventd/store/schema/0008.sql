-- Version 8. Questions about many incidents and notifications are answered from indexes: what comes last of a device, what
-- is rare, and how many there are of each state.
CREATE INDEX incidents_over ON incidents (device, resolved_at) WHERE status = 'resolved';
CREATE INDEX incidents_severity ON incidents (severity);
CREATE INDEX incidents_kind ON incidents (kind);
CREATE INDEX incidents_site ON incidents (site) WHERE site IS NOT NULL;
CREATE INDEX outbox_undone ON outbox (channel, state) WHERE state IN ('dead', 'superseded');
