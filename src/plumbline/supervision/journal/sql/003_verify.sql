-- What the public may learn of codes (PROTOCOL §5): one function, masked rows, at most 100 codes. Owned by plumb_definer, which may
-- read only the columns needed; every object is qualified; the search path is pinned so that no temporary table answers instead.
GRANT USAGE, CREATE ON SCHEMA ops TO plumb_definer;
SET ROLE plumb_definer;
CREATE FUNCTION ops.verify(codes text[])
RETURNS TABLE (
    code text, state text, claims text, dies_at timestamptz, replaced_by text, institution text, institution_name text, institution_uscc text,
    division text, application text, number text, title text, category text, conclusion text, report jsonb, project_name text,
    client_name text, sample jsonb, commission_category text, registration text, registration_idx bigint, registered_at timestamptz,
    pdf_sha256 text, pdf_bytes bigint, examined boolean, accepted boolean, root_kind text, signer text, examination jsonb,
    withdrawn_because text, withdrawn_at timestamptz, registration_uid text, sampler_personal text, witness_personal text,
    application_attestation text, registration_attestation text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(codes) > 100 THEN
        RAISE EXCEPTION 'at most 100 codes' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY
    SELECT c.id::text, c.state, c.claims, c.dies_at, c.replaced_by, c.institution, i.name, i.uscc, a.division, a.id, a.number, a.title,
           a.category, a.conclusion,
           jsonb_build_object('issued_on', a.body->>'issued_on', 'conclusion_text', a.body->>'conclusion_text', 'parameters', a.body->'parameters',
                              'version', a.body->>'version'),
           p.name, cl.name,
           (SELECT jsonb_build_object('grade', s.grade, 'structural_part', s.structural_part, 'made_at', s.made_at,
                   'kind', s.sample_kind, 'sampler', s.sampler, 'witnessing', s.witnessing)
              FROM fact.sample s WHERE s.id = a.body->'samples'->>0),
           co.test_category, r.id, r.idx, r.logged_at, r.pdf_sha256, (r.body->>'pdf_bytes')::bigint, r.examined, r.accepted, r.root_kind,
           r.signer, r.examination, r.withdrawn_because, r.withdrawn_at, r.body->>'uid',
           (SELECT pe.personal FROM fact.sample s JOIN fact.person pe ON pe.id = s.sampler WHERE s.id = a.body->'samples'->>0),
           (SELECT pe.personal FROM fact.sample s JOIN fact.witnessing w ON w.id = s.witnessing JOIN fact.person pe ON pe.id = w.witness
             WHERE s.id = a.body->'samples'->>0),
           a.attestation, r.attestation
      FROM fact.code c
      JOIN fact.application a ON a.id = c.application
      JOIN fact.party i ON i.id = c.institution
      LEFT JOIN fact.registration r ON r.id = c.registration
      LEFT JOIN fact.project p ON p.id = a.project
      LEFT JOIN fact.commission co ON co.id = a.commission
      LEFT JOIN fact.contract ct ON ct.id = co.contract
      LEFT JOIN fact.party cl ON cl.id = ct.client
     WHERE c.id = ANY (codes);
END $$;
REVOKE ALL ON FUNCTION ops.verify(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.verify(text[]) TO plumb_public;
SET ROLE plumb_owner;
REVOKE CREATE ON SCHEMA ops FROM plumb_definer;
GRANT USAGE ON SCHEMA ops TO plumb_public;
