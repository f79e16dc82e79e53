-- A browser that is signed in at one site of the city. It lives no longer than the session at the issuer (`sid`) behind it.
CREATE TABLE site_session (
  digest bytea CONSTRAINT site_session_pkey PRIMARY KEY,
  id uuid NOT NULL,
  site text NOT NULL,
  person uuid NOT NULL,
  sid uuid NOT NULL,
  -- The hint that signing out brings to the issuer.
  id_token_sealed bytea NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX site_session_person_idx ON site_session (person);
CREATE INDEX site_session_expires_at_idx ON site_session (expires_at);
