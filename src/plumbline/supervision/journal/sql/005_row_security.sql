-- Row security (PROTOCOL §5, docs/decisions/0013): what the roles of web may read outside schema fact, and what everybody may know.
-- Policies and grants of schema fact are made with its tables. Run as plumb_owner.

-- Web's login keeps what is its own: the heartbeat. It reads as one of its four roles, or not at all.
REVOKE ALL ON ALL TABLES IN SCHEMA journal FROM plumb_web;
REVOKE USAGE ON SCHEMA journal FROM plumb_web;
REVOKE ALL ON ops.personal, ops.file, ops.audit_event FROM plumb_web;

GRANT USAGE ON SCHEMA journal, ops TO plumb_officer, plumb_institution, plumb_party, plumb_public;
GRANT SELECT ON journal.head, journal.checkpoint, journal.epoch TO plumb_officer, plumb_institution, plumb_party, plumb_public;
-- when an entry was logged, not whose it is
GRANT SELECT (epoch, idx, logged_at) ON journal.leaf TO plumb_officer, plumb_institution, plumb_party, plumb_public;
GRANT SELECT (name, kind, started_at, beat_at) ON ops.process TO plumb_officer, plumb_institution, plumb_party, plumb_public;
-- how many files there are, and whether one whose hash is known has arrived
GRANT SELECT (bytes, state) ON ops.file TO plumb_officer, plumb_institution, plumb_party, plumb_public;
GRANT SELECT (sha256) ON ops.file TO plumb_officer, plumb_institution, plumb_party;

GRANT SELECT ON ops.personal TO plumb_definer;
GRANT USAGE, CREATE ON SCHEMA ops TO plumb_definer;
SET ROLE plumb_definer;

-- Sums of the whole platform, for the front page and the status page.
CREATE FUNCTION ops.figures(today date) RETURNS TABLE (registered bigint, runs bigint, parked bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT (SELECT count(*) FROM fact.application a WHERE a.state = 'registered'),
        (SELECT COALESCE(sum(d.runs), 0)::bigint FROM fact.institution_day d WHERE d.day = today),
        (SELECT count(*) FROM fact.parked);
END $$;

-- Where entries about these objects wait to be projected; the objects are named by whoever sees them.
CREATE FUNCTION ops.parked_about(keys text[]) RETURNS TABLE (idx bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT DISTINCT k.idx FROM fact.parked_key k WHERE k.id = ANY (keys) ORDER BY 1;
END $$;

-- How many of these samples, commissions and runs are on record at all: a bundle with one that its reader does not see is not made.
CREATE FUNCTION ops.recorded(ids text[]) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT count(*) FROM fact.sample s WHERE s.id = ANY (ids)) + (SELECT count(*) FROM fact.run r WHERE r.id = ANY (ids))
         + (SELECT count(*) FROM fact.commission c WHERE c.id = ANY (ids));
END $$;

-- The first party of a role, with a person of one of these roles: whom a role card of the demo enters as.
CREATE FUNCTION ops.first_party(party_role text, person_roles text[]) RETURNS TABLE (id text, name text, division text, person text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT p.id, p.name, p.division,
        (SELECT h.id FROM fact.person h WHERE h.party = p.id AND h.roles && person_roles ORDER BY h.idx LIMIT 1)
      FROM fact.party p WHERE party_role = ANY (p.roles) ORDER BY p.idx LIMIT 1;
END $$;

-- Roles that parties on record have, and the newest code that verifies: for the cards themselves.
CREATE FUNCTION ops.cards() RETURNS TABLE (roles text[], code text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT ARRAY(SELECT DISTINCT unnest(p.roles) FROM fact.party p),
        (SELECT r.code FROM fact.registration r WHERE r.state = 'registered' AND r.accepted ORDER BY r.idx DESC LIMIT 1);
END $$;

-- The registered code of a report whose address somebody has: the public is sent to its verification page.
CREATE FUNCTION ops.code_of(application_id text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT r.code FROM fact.registration r WHERE r.application = application_id AND r.state <> 'refused' LIMIT 1);
END $$;

-- Sealed records by their digest, which stands in the rows of people that the reader sees; at most 500.
CREATE FUNCTION ops.sealed(digests bytea[]) RETURNS TABLE (digest bytea, subject text, nonce bytea, ciphertext bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(digests) > 500 THEN
        RAISE EXCEPTION 'at most 500 records' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT p.digest, p.subject, p.nonce, p.ciphertext FROM ops.personal p WHERE p.digest = ANY (digests);
END $$;

REVOKE ALL ON FUNCTION ops.figures(date), ops.parked_about(text[]), ops.recorded(text[]), ops.first_party(text, text[]), ops.cards(),
    ops.code_of(text), ops.sealed(bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.figures(date) TO plumb_officer, plumb_institution, plumb_party, plumb_public;
GRANT EXECUTE ON FUNCTION ops.first_party(text, text[]), ops.cards() TO plumb_officer, plumb_institution, plumb_party, plumb_public;
GRANT EXECUTE ON FUNCTION ops.code_of(text) TO plumb_public;
GRANT EXECUTE ON FUNCTION ops.parked_about(text[]), ops.recorded(text[]), ops.sealed(bytea[]) TO plumb_officer, plumb_institution, plumb_party;
SET ROLE plumb_owner;
REVOKE CREATE ON SCHEMA ops FROM plumb_definer;
