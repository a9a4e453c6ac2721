-- Accounts, second part: intents in the audit trail, organisations that are suspended, officers in charge. Run as plumb_owner.

-- The result of an intent is found by the intent.
CREATE INDEX audit_event_of_intent ON ops.audit_event ((detail->>'intent')) WHERE detail ? 'intent';

-- What one officer proposes and another one decides: to suspend an organisation, or to let it work again. The decision itself is an entry.
CREATE TABLE ops.proposal (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('suspend', 'lift')),
    party       text NOT NULL,
    because     text NOT NULL,
    proposed_by text NOT NULL,
    person      text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at  timestamptz,
    settled_by  text,
    outcome     text CHECK (outcome IN ('agreed', 'declined'))
);
CREATE UNIQUE INDEX proposal_open ON ops.proposal (party) WHERE settled_at IS NULL;
GRANT SELECT, INSERT ON ops.proposal TO plumb_web;
GRANT UPDATE (settled_at, settled_by, outcome) ON ops.proposal TO plumb_web;

-- Jobs that pages order. Each says for whom it is done; web's login does it in that principal's database role, and the worker only looks
-- whether something waits.
CREATE TABLE ops.job (
    id          text PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('list_export')),
    owner       text NOT NULL,
    principal   jsonb NOT NULL,
    arguments   jsonb NOT NULL DEFAULT '{}',
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    problem     text,
    result      bytea,
    ordered_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    begun_at    timestamptz,
    finished_at timestamptz
);
CREATE INDEX job_of_owner ON ops.job (owner, ordered_at);
CREATE INDEX job_waiting ON ops.job (ordered_at) WHERE state IN ('waiting', 'running');
GRANT SELECT, INSERT, DELETE ON ops.job TO plumb_web;
GRANT UPDATE (state, problem, result, begun_at, finished_at) ON ops.job TO plumb_web;
GRANT SELECT (state) ON ops.job TO plumb_worker;

GRANT USAGE, CREATE ON SCHEMA ops TO plumb_definer;
SET ROLE plumb_definer;

-- The roles of a person that have not ended, oldest first; `stopped` says why the organisation is suspended.
DROP FUNCTION ops.grants_of(text);
CREATE FUNCTION ops.grants_of(whose text)
RETURNS TABLE (id text, role text, party text, division text, capacity text, organisation text, stopped text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT g.id, g.role, g.party, g.division, g.capacity, p.name, p.suspended_because
      FROM fact.role_grant g LEFT JOIN fact.party p ON p.id = g.party
     WHERE g.person = whose AND g.ended_idx IS NULL ORDER BY g.idx;
END $$;

-- Why an organisation is suspended; NULL while it works.
CREATE FUNCTION ops.stopped(organisation text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT p.suspended_because FROM fact.party p WHERE p.id = organisation);
END $$;

-- Organisations of a region whose name holds a text, the suspended first; at most 200. `suspension` is the entry that suspended it.
CREATE FUNCTION ops.organisations_of(low text, high text, part text)
RETURNS TABLE (id text, name text, division text, roles text[], suspension text, suspended_at timestamptz, suspended_because text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT p.id, p.name, p.division, p.roles, p.suspension, p.suspended_at, p.suspended_because FROM fact.party p
     WHERE p.division >= low AND p.division < high AND position(part IN p.name) > 0
     ORDER BY p.suspended_at DESC NULLS LAST, p.name LIMIT 200;
END $$;

-- Officers whose role lies within a region, oldest first: who may be put in charge of a project there.
CREATE FUNCTION ops.officers_of(low text, high text) RETURNS TABLE (person text, division text, capacity text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT g.person, g.division, g.capacity FROM fact.role_grant g
     WHERE g.role = 'officer' AND g.ended_idx IS NULL AND g.division >= low AND g.division < high ORDER BY g.idx;
END $$;

-- Projects of a region whose name or code holds a text; at most 200, by name.
CREATE FUNCTION ops.projects_of(low text, high text, part text) RETURNS TABLE (id text, code text, name text, division text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT p.id, p.code, p.name, p.division FROM fact.project p
     WHERE p.division >= low AND p.division < high AND (position(part IN p.name) > 0 OR position(part IN p.code) > 0)
     ORDER BY p.name, p.id LIMIT 200;
END $$;

-- One project: what it is called and where it is.
CREATE FUNCTION ops.project_of(project text) RETURNS TABLE (id text, code text, name text, division text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT p.id, p.code, p.name, p.division FROM fact.project p WHERE p.id = project;
END $$;

-- Who looks after these projects, as far as it was not ended.
CREATE FUNCTION ops.charges_of(projects text[])
RETURNS TABLE (id text, project text, officer text, part text, valid_from date, valid_until date)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT c.id, c.project, c.officer, c.part, c.valid_from, c.valid_until FROM fact.charge c
     WHERE c.project = ANY (projects) AND c.ended_idx IS NULL ORDER BY c.valid_from, c.idx;
END $$;

REVOKE ALL ON FUNCTION ops.grants_of(text), ops.stopped(text), ops.organisations_of(text, text, text), ops.officers_of(text, text),
    ops.projects_of(text, text, text), ops.project_of(text), ops.charges_of(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.grants_of(text), ops.stopped(text), ops.organisations_of(text, text, text), ops.officers_of(text, text),
    ops.projects_of(text, text, text), ops.project_of(text), ops.charges_of(text[]) TO plumb_web;
SET ROLE plumb_owner;
REVOKE CREATE ON SCHEMA ops FROM plumb_definer;
