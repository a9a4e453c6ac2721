-- What the virus scanner said of a stored file (docs/decisions/0026). Run as plumb_owner.
-- null: not scanned; failed: the scanner could not say, and is asked again. Only what is infected, or under the policy `require` what is
-- not clean, is given to nobody. No evidence: the bytes stay as they arrived.
ALTER TABLE ops.file
    ADD COLUMN scan       text CHECK (scan IN ('clean', 'infected', 'failed')),
    ADD COLUMN scan_found text NOT NULL DEFAULT '',
    ADD COLUMN scanned_at timestamptz;
-- What waits for the scanner is found without passing over the rest; announced files are not there yet.
CREATE INDEX file_to_scan ON ops.file (changed_at) WHERE scan IS NULL AND state <> 'announced';
CREATE INDEX file_scan_failed ON ops.file (scanned_at) WHERE scan = 'failed';
CREATE INDEX file_infected ON ops.file (scanned_at) WHERE scan = 'infected';

GRANT UPDATE (scan, scan_found, scanned_at) ON ops.file TO plumb_worker;
GRANT SELECT (scan) ON ops.file TO plumb_officer, plumb_institution, plumb_party, plumb_public;
-- What processes tell with their heartbeat stands on the status page.
GRANT SELECT (detail) ON ops.process TO plumb_officer, plumb_institution, plumb_party, plumb_public;

GRANT SELECT ON ops.file TO plumb_definer;
GRANT USAGE, CREATE ON SCHEMA ops TO plumb_definer;
SET ROLE plumb_definer;

-- Quarantined files of the institution that asks, or of those that work in the region of the officer who asks, newest first; at most 100.
CREATE FUNCTION ops.quarantined()
RETURNS TABLE (sha256 text, bytes bigint, media_type text, found text, scanned_at timestamptz, holder text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seen text[] := CASE WHEN current_setting('role') = 'plumb_officer' THEN ops.region_parties()
                        ELSE ARRAY[current_setting('plumb.party', true)] END;
BEGIN
    RETURN QUERY SELECT encode(f.sha256, 'hex'), f.bytes, f.media_type, f.scan_found, f.scanned_at, encode(f.uploaded_by, 'hex')
      FROM ops.file f WHERE f.scan = 'infected' AND encode(f.uploaded_by, 'hex') = ANY (seen)
     ORDER BY f.scanned_at DESC LIMIT 100;
END $$;

REVOKE ALL ON FUNCTION ops.quarantined() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.quarantined() TO plumb_officer, plumb_institution;
SET ROLE plumb_owner;
REVOKE CREATE ON SCHEMA ops FROM plumb_definer;
