-- Tables of the web products (accounts, sessions, failed sign-ins) are made here by their migrations. Run as plumb_owner.
CREATE SCHEMA web;
GRANT USAGE ON SCHEMA web TO plumb_web;
-- The audit trail is written and read by the administrators' pages, in web's own role: they have no business data beside it.
GRANT SELECT, INSERT ON ops.audit_event TO plumb_web;

-- What sign-in and administration need of schema fact, and nothing more: web's own login has no right to it (docs/decisions/0013).
GRANT USAGE, CREATE ON SCHEMA ops TO plumb_definer;
SET ROLE plumb_definer;

-- The roles of a person that have not ended, oldest first.
CREATE FUNCTION ops.grants_of(whose text)
RETURNS TABLE (id text, role text, party text, division text, capacity text, organisation text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT g.id, g.role, g.party, g.division, g.capacity, p.name
      FROM fact.role_grant g LEFT JOIN fact.party p ON p.id = g.party
     WHERE g.person = whose AND g.ended_idx IS NULL ORDER BY g.idx;
END $$;

-- Persons who hold a role now: whether an administrator is the last one.
CREATE FUNCTION ops.holders_of(wanted text) RETURNS TABLE (person text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT DISTINCT g.person FROM fact.role_grant g WHERE g.role = wanted AND g.ended_idx IS NULL;
END $$;

-- Organisations of a region whose name holds a text, without those of some kinds; at most 200, by name.
CREATE FUNCTION ops.parties_of(low text, high text, part text, without text[]) RETURNS TABLE (id text, name text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT p.id, p.name FROM fact.party p
     WHERE p.division >= low AND p.division < high AND position(part IN p.name) > 0 AND NOT p.roles && without
     ORDER BY p.name LIMIT 200;
END $$;

-- One organisation: what it is and where.
CREATE FUNCTION ops.party_of(party text) RETURNS TABLE (name text, division text, roles text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT p.name, p.division, p.roles FROM fact.party p WHERE p.id = party;
END $$;

-- How far the projector has come with an entry: whether it passed it, why it was not taken over, whether it is parked.
CREATE FUNCTION ops.outcome_of(entry_id text, place bigint) RETURNS TABLE (passed boolean, sentence text, remedy text, parked boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT (SELECT s.pos > place FROM fact.position s WHERE s.id = 'projector'),
        (SELECT f.sentence FROM fact.finding f WHERE f.entry = entry_id ORDER BY f.code LIMIT 1),
        (SELECT f.remedy FROM fact.finding f WHERE f.entry = entry_id ORDER BY f.code LIMIT 1),
        EXISTS (SELECT 1 FROM fact.parked k WHERE k.idx = place);
END $$;

REVOKE ALL ON FUNCTION ops.grants_of(text), ops.holders_of(text), ops.parties_of(text, text, text, text[]), ops.party_of(text),
    ops.outcome_of(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.grants_of(text), ops.holders_of(text), ops.parties_of(text, text, text, text[]), ops.party_of(text),
    ops.outcome_of(text, bigint) TO plumb_web;
SET ROLE plumb_owner;
REVOKE CREATE ON SCHEMA ops FROM plumb_definer;
