-- Cosigners of the log (PROTOCOL §2.6, docs/decisions/0022): what they signed, and how far each has come. Run as plumb_owner.

-- One row = one cosignature of a published checkpoint, a C2SP signature line. Never changed.
CREATE TABLE journal.cosignature (
    origin      text NOT NULL,
    size        bigint NOT NULL,
    name        text NOT NULL,
    key_id      bytea NOT NULL CHECK (octet_length(key_id) = 4),
    line        text NOT NULL,
    -- as the cosigner states it, and when it reached us
    cosigned_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (origin, size, name, key_id)
);

-- One row = one cosigner of `cosigners.toml` as the worker last found it. The file lies beside the marks: a restore must not forget a cosigner.
CREATE TABLE ops.cosigner (
    name         text PRIMARY KEY,
    trust_domain text NOT NULL,
    is_external  boolean NOT NULL,
    origin       text NOT NULL DEFAULT '',
    size         bigint NOT NULL DEFAULT 0,
    cosigned_at  timestamptz,
    -- since when entries wait for this cosigner; null when it has signed all of them
    behind_since timestamptz,
    -- when the worker last looked after this cosigner
    looked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    problem      text NOT NULL DEFAULT '',
    -- why the list itself cannot be read; the last readable one stands
    list_problem text NOT NULL DEFAULT ''
);

GRANT SELECT, INSERT ON journal.cosignature TO plumb_gateway;
GRANT SELECT ON journal.cosignature TO plumb_projector, plumb_worker, plumb_officer, plumb_institution, plumb_party, plumb_public;
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.cosigner TO plumb_gateway;
GRANT SELECT ON ops.cosigner TO plumb_worker, plumb_officer, plumb_institution, plumb_party, plumb_public;

CREATE TRIGGER cosignature_rows BEFORE UPDATE OR DELETE ON journal.cosignature FOR EACH ROW EXECUTE FUNCTION journal.refuse();
CREATE TRIGGER cosignature_truncate BEFORE TRUNCATE ON journal.cosignature FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();
