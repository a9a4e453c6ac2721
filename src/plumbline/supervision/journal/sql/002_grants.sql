-- Who may do what (PROTOCOL §5). Named grants only: no ALTER DEFAULT PRIVILEGES, it would open new partitions.
GRANT USAGE ON SCHEMA journal TO plumb_gateway, plumb_projector, plumb_worker, plumb_web;
GRANT USAGE ON SCHEMA ops TO plumb_gateway, plumb_projector, plumb_worker, plumb_web;

GRANT SELECT, INSERT ON journal.entry, journal.leaf, journal.node, journal.claim, journal.checkpoint TO plumb_gateway;
GRANT SELECT ON journal.head TO plumb_gateway;
GRANT UPDATE (size, root, frontier, last_time) ON journal.head TO plumb_gateway;
GRANT SELECT, INSERT ON ops.personal TO plumb_gateway;
GRANT SELECT, INSERT ON ops.file TO plumb_gateway;
GRANT UPDATE (state, changed_at) ON ops.file TO plumb_gateway;
GRANT SELECT ON ops.transport_secret TO plumb_gateway;
GRANT SELECT, INSERT ON ops.nonce_even, ops.nonce_odd TO plumb_gateway;
GRANT TRUNCATE ON ops.nonce_even, ops.nonce_odd TO plumb_gateway;
GRANT SELECT, INSERT ON ops.audit_event TO plumb_gateway, plumb_web, plumb_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.process TO plumb_gateway, plumb_projector, plumb_worker, plumb_web;
GRANT SELECT ON ops.clock_confirmed, ops.signing_host TO plumb_gateway;

GRANT SELECT ON journal.entry, journal.leaf, journal.head, journal.node TO plumb_projector, plumb_worker;
GRANT SELECT ON journal.leaf, journal.head, journal.checkpoint TO plumb_web;
GRANT SELECT ON ops.file TO plumb_worker, plumb_web;
GRANT SELECT ON ops.personal TO plumb_web;
