-- A browser that is signed in at the issuer. Its id is the `sid` of ID tokens; the cookie's secret is kept as a digest.
CREATE TABLE browser_session (
  id uuid CONSTRAINT browser_session_pkey PRIMARY KEY,
  person uuid NOT NULL CONSTRAINT browser_session_person_fkey REFERENCES account ON DELETE CASCADE,
  token_digest bytea NOT NULL CONSTRAINT browser_session_token_digest_key UNIQUE,
  -- When she last gave her password: the claim `auth_time`.
  auth_time timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  last_seen timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  user_agent text NOT NULL
);
CREATE INDEX browser_session_person_idx ON browser_session (person);
CREATE INDEX browser_session_expires_at_idx ON browser_session (expires_at);
