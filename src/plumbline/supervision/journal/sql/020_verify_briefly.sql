-- What a program is told of a code (PROTOCOL §5): the state, and what proves it. A page needs persons, samples, the report's own words; to
-- read and build those for an answer that leaves them out cost more than all the rest. Same masking, same owner, same kind of plan as
-- ops.verify (018).
GRANT CREATE ON SCHEMA ops TO plumb_definer;
SET ROLE plumb_definer;
CREATE FUNCTION ops.verify_briefly(codes text[])
RETURNS TABLE (
    code text, state text, claims text, institution_name text, number text, pdf_sha256 text, examined boolean, accepted boolean, root_kind text,
    application_attestation text, registration_attestation text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
    SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    lowest text COLLATE "C" := (SELECT min(each COLLATE "C") FROM unnest(codes) each);
    highest text COLLATE "C" := (SELECT max(each COLLATE "C") FROM unnest(codes) each);
BEGIN
    IF cardinality(codes) > 100 THEN
        RAISE EXCEPTION 'at most 100 codes' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT c.id::text, c.state, c.claims, i.name, a.number, r.pdf_sha256, r.examined, r.accepted, r.root_kind, a.attestation, r.attestation
      FROM fact.code c
      JOIN fact.application a ON a.id = c.application
      JOIN fact.party i ON i.id = c.institution
      LEFT JOIN fact.registration r ON r.id = c.registration
     WHERE c.id = ANY (codes) AND c.id >= lowest AND c.id <= highest;
END $$;
REVOKE ALL ON FUNCTION ops.verify_briefly(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.verify_briefly(text[]) TO plumb_public;
SET ROLE plumb_owner;
REVOKE CREATE ON SCHEMA ops FROM plumb_definer;
