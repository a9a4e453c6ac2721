-- The journal: append-only, one head row (PROTOCOL §2). Run as plumb_owner.
CREATE SCHEMA journal;
CREATE SCHEMA ops;

-- One row = the exact bytes of one submission's message and how it came in. Never updated.
CREATE TABLE journal.entry (
    uid        uuid NOT NULL,
    sender_id  bytea NOT NULL CHECK (octet_length(sender_id) = 16),
    key_id     text NOT NULL,
    envelope   bytea NOT NULL,
    message    bytea NOT NULL,
    arrived_at timestamptz NOT NULL,
    PRIMARY KEY (uid, sender_id)
) PARTITION BY RANGE (uid);

-- One row = the place of an entry in the log; apart from the entry so that the journal is never updated.
CREATE TABLE journal.leaf (
    epoch     int NOT NULL,
    idx       bigint NOT NULL,
    uid       uuid NOT NULL,
    sender_id bytea NOT NULL,
    logged_at timestamptz NOT NULL,
    leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
    PRIMARY KEY (epoch, idx)
);
-- the duplicate path and GET /receipts/{sender}/{uid}; uid is time-ordered, so this index grows at its right edge
CREATE UNIQUE INDEX leaf_by_uid ON journal.leaf (uid, sender_id);

-- Roots of complete subtrees of 256 leaves and more; source of later proofs.
CREATE TABLE journal.node (
    epoch int NOT NULL,
    level int NOT NULL CHECK (level >= 8),
    start bigint NOT NULL,
    hash  bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (epoch, level, start)
);

-- The one head. Order comes from here alone.
CREATE TABLE journal.head (
    single    boolean PRIMARY KEY DEFAULT true CHECK (single),
    origin    text NOT NULL,
    epoch     int NOT NULL,
    size      bigint NOT NULL,
    root      bytea NOT NULL,
    frontier  bytea NOT NULL,
    last_time timestamptz NOT NULL
);

-- A value that only one entry may hold: registration of a code, a report number.
CREATE TABLE journal.claim (
    kind  text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL CHECK (octet_length(value) <= 200),
    entry bytea NOT NULL CHECK (octet_length(entry) = 16),
    PRIMARY KEY (kind, value)
);

CREATE TABLE journal.checkpoint (
    origin text NOT NULL,
    size   bigint NOT NULL,
    note   text NOT NULL,
    PRIMARY KEY (origin, size)
);

-- Nonces of unsafe calls that no uid makes harmless: two halves of ten minutes, truncated in turn.
CREATE TABLE ops.nonce_even (key_id text, nonce text, PRIMARY KEY (key_id, nonce));
CREATE TABLE ops.nonce_odd  (key_id text, nonce text, PRIMARY KEY (key_id, nonce));

-- Personal parts: ciphertext under one key per subject; the digest is the name that stands in the message. PII: encrypted.
CREATE TABLE ops.personal (
    digest     bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    subject    text NOT NULL,
    nonce      bytea NOT NULL,
    ciphertext bytea NOT NULL,
    arrived_at timestamptz NOT NULL
);
CREATE INDEX personal_of_subject ON ops.personal (subject);

-- Files: announced → stored → verified. The bytes are in the file store, found by hash.
CREATE TABLE ops.file (
    sha256      bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    bytes       bigint NOT NULL,
    media_type  text NOT NULL,
    uploaded_by bytea NOT NULL,
    state       text NOT NULL CHECK (state IN ('announced', 'stored', 'verified')),
    changed_at  timestamptz NOT NULL DEFAULT now()
);

-- Shared secrets for transport (HMAC), encrypted under the key-encryption key; the log knows their digest only.
CREATE TABLE ops.transport_secret (
    key_id     text PRIMARY KEY,
    nonce      bytea NOT NULL,
    ciphertext bytea NOT NULL
);

-- Audit events of what is not an entry: refusals, failed sign-ins, administration.
CREATE TABLE ops.audit_event (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor     text NOT NULL,
    action    text NOT NULL,
    subject   text NOT NULL,
    outcome   text NOT NULL,
    request   text NOT NULL,
    detail    jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_event_by_time ON ops.audit_event (at);

-- Processes that are alive, listed on the status page (T/CECS 5.0.3 registration and discovery).
CREATE TABLE ops.process (
    name       text PRIMARY KEY,
    kind       text NOT NULL,
    host       text NOT NULL,
    pid        int NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at    timestamptz NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}'
);

-- A large step of the database's clock that a person confirmed.
CREATE TABLE ops.clock_confirmed (at timestamptz PRIMARY KEY DEFAULT clock_timestamp(), by_whom text NOT NULL);

-- Hosts that sign checkpoints; one that cannot be asked for its mark stops signing.
CREATE TABLE ops.signing_host (host text PRIMARY KEY, mark_url text, registered_at timestamptz NOT NULL DEFAULT now());

CREATE FUNCTION journal.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% on % is refused: the journal is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501'; END $$;

CREATE FUNCTION journal.head_only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF NEW.origin <> OLD.origin OR NEW.epoch <> OLD.epoch OR NEW.size <= OLD.size OR NEW.last_time < OLD.last_time THEN
        RAISE EXCEPTION 'the head only grows' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER entry_rows BEFORE UPDATE OR DELETE ON journal.entry FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER entry_truncate BEFORE TRUNCATE ON journal.entry FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER leaf_rows BEFORE UPDATE OR DELETE ON journal.leaf FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER leaf_truncate BEFORE TRUNCATE ON journal.leaf FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER node_rows BEFORE UPDATE OR DELETE ON journal.node FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER node_truncate BEFORE TRUNCATE ON journal.node FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER claim_rows BEFORE UPDATE OR DELETE ON journal.claim FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER claim_truncate BEFORE TRUNCATE ON journal.claim FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER checkpoint_rows BEFORE UPDATE OR DELETE ON journal.checkpoint FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER checkpoint_truncate BEFORE TRUNCATE ON journal.checkpoint FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER head_grows BEFORE UPDATE ON journal.head FOR EACH ROW EXECUTE FUNCTION journal.head_only_grows();
CREATE TRIGGER head_kept BEFORE DELETE ON journal.head FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER head_truncate BEFORE TRUNCATE ON journal.head FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();
