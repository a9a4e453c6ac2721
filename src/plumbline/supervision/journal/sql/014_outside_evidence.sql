-- Evidence of outsiders about published checkpoints: RFC 3161 time stamps, anchors in an EVM chain (docs/decisions/0024). Run as plumb_owner.

-- One row = one time-stamp token over the text of a published checkpoint. Never changed.
CREATE TABLE journal.stamp (
    origin      text NOT NULL,
    size        bigint NOT NULL,
    -- what the operator's list calls the authority
    name        text NOT NULL,
    token       bytea NOT NULL CHECK (octet_length(token) BETWEEN 1 AND 16384),
    -- as the token states it, and when it reached us
    stamped_at  timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (origin, size, name)
);

-- One row = one authority of `timestamps.toml` as the worker last found it.
CREATE TABLE ops.stamp_authority (
    name         text PRIMARY KEY,
    trust_domain text NOT NULL,
    is_external  boolean NOT NULL,
    -- how often a checkpoint is stamped while the log grows
    every        interval NOT NULL,
    origin       text NOT NULL DEFAULT '',
    size         bigint NOT NULL DEFAULT 0,
    stamped_at   timestamptz,
    -- since when entries wait for this authority; null when all are stamped
    behind_since timestamptz,
    looked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    problem      text NOT NULL DEFAULT '',
    -- why the list itself cannot be read; the last readable one stands
    list_problem text NOT NULL DEFAULT ''
);

-- One row = one published checkpoint that a contract of an EVM chain holds, confirmed. Never changed.
CREATE TABLE journal.anchor (
    origin      text NOT NULL,
    size        bigint NOT NULL,
    -- what the operator's list calls the chain
    name        text NOT NULL,
    -- chain, contract, block, transaction: the bytes of the line in a receipt
    proof       bytea NOT NULL CHECK (octet_length(proof) = 112),
    -- time of the block, and when it counted as confirmed here
    anchored_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (origin, size, name)
);

-- One row = one chain of `anchors.toml` as the worker last found it, with the transaction that is under way.
CREATE TABLE ops.anchor_chain (
    name          text PRIMARY KEY,
    trust_domain  text NOT NULL,
    every         interval NOT NULL,
    state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'confirmed')),
    -- confirmed so far
    origin        text NOT NULL DEFAULT '',
    size          bigint NOT NULL DEFAULT 0,
    anchored_at   timestamptz,
    -- sent and not yet confirmed
    sent_origin   text NOT NULL DEFAULT '',
    sent_size     bigint NOT NULL DEFAULT 0,
    sent_hash     bytea,
    sent_nonce    bigint,
    sent_at       timestamptz,
    confirmations bigint NOT NULL DEFAULT 0,
    behind_since  timestamptz,
    looked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    problem       text NOT NULL DEFAULT '',
    list_problem  text NOT NULL DEFAULT ''
);

GRANT SELECT, INSERT ON journal.stamp, journal.anchor TO plumb_gateway;
GRANT SELECT ON journal.stamp, journal.anchor TO plumb_projector, plumb_worker, plumb_officer, plumb_institution, plumb_party, plumb_public;
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.stamp_authority, ops.anchor_chain TO plumb_gateway;
GRANT SELECT ON ops.stamp_authority, ops.anchor_chain TO plumb_worker, plumb_officer, plumb_institution, plumb_party, plumb_public;

CREATE TRIGGER stamp_rows BEFORE UPDATE OR DELETE ON journal.stamp FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER stamp_truncate BEFORE TRUNCATE ON journal.stamp FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER anchor_rows BEFORE UPDATE OR DELETE ON journal.anchor FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER anchor_truncate BEFORE TRUNCATE ON journal.anchor FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();
