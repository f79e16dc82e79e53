-- Who changed what about accounts. Lines are only ever added; each is sealed to the one before it, so that a line changed,
-- removed or put in between is found by whoever computes the chain again (`IdentityService.verifyAudit`).
CREATE TABLE audit (
  seq bigint CONSTRAINT audit_pkey PRIMARY KEY,
  at timestamptz NOT NULL,
  action text NOT NULL CONSTRAINT audit_action_check CHECK (action ~ '^[a-z][a-z0-9.-]*$'),
  -- Who did it; NULL for the city itself.
  actor uuid,
  -- Whom or what it is about.
  subject uuid,
  -- JSON without line breaks, kept as the very bytes that were sealed.
  detail text NOT NULL CONSTRAINT audit_detail_check CHECK (detail !~ '[\n\r]'),
  previous bytea NOT NULL,
  hash bytea NOT NULL
);
CREATE INDEX audit_subject_idx ON audit (subject, seq);

-- The end of the chain: what shows that the newest lines were cut off. Its row lock puts writers in line.
CREATE TABLE audit_head (
  is_only boolean CONSTRAINT audit_head_pkey PRIMARY KEY DEFAULT true CONSTRAINT audit_head_only_check CHECK (is_only),
  seq bigint NOT NULL,
  hash bytea NOT NULL
);
INSERT INTO audit_head (seq, hash) VALUES (0, sha256('metropolis audit'));

-- Runs as the owner: the login role itself may not touch the head.
CREATE FUNCTION audit_seal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
  head audit_head%ROWTYPE;
BEGIN
  SELECT * INTO STRICT head FROM audit_head FOR UPDATE;
  NEW.seq := head.seq + 1;
  NEW.previous := head.hash;
  NEW.hash := sha256(head.hash || convert_to(
    NEW.seq || E'\n' || (extract(epoch FROM NEW.at) * 1000000)::bigint || E'\n' || NEW.action || E'\n'
    || coalesce(NEW.actor::text, '') || E'\n' || coalesce(NEW.subject::text, '') || E'\n' || NEW.detail, 'UTF8'));
  UPDATE audit_head SET seq = NEW.seq, hash = NEW.hash;
  RETURN NEW;
END
$$;
CREATE TRIGGER audit_seal BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_seal();

REVOKE UPDATE, DELETE ON audit FROM {role};
REVOKE INSERT, UPDATE, DELETE ON audit_head FROM {role};
