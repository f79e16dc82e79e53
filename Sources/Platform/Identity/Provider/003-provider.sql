CREATE TABLE client (
  id text CONSTRAINT client_pkey PRIMARY KEY,
  name jsonb NOT NULL,
  kind text NOT NULL CONSTRAINT client_kind_check CHECK (kind IN ('public', 'confidential')),
  secret_digest bytea,
  redirect_uris text[] NOT NULL CONSTRAINT client_redirect_uris_check CHECK (cardinality(redirect_uris) > 0),
  post_logout_redirect_uris text[] NOT NULL,
  -- Of the city itself: no consent is asked for.
  first_party boolean NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT client_secret_check CHECK ((kind = 'confidential') = (secret_digest IS NOT NULL))
);

-- Everything that came of one authorization: its code and all tokens made from it live and die together.
CREATE TABLE token_family (
  id uuid CONSTRAINT token_family_pkey PRIMARY KEY,
  client text NOT NULL CONSTRAINT token_family_client_fkey REFERENCES client ON DELETE CASCADE,
  person uuid NOT NULL CONSTRAINT token_family_person_fkey REFERENCES account ON DELETE CASCADE,
  session uuid NOT NULL CONSTRAINT token_family_session_fkey REFERENCES browser_session ON DELETE CASCADE,
  scope text[] NOT NULL,
  -- Claims asked for one by one (OpenID Connect Core §5.5), delivered at userinfo.
  claims text[] NOT NULL,
  auth_time timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE INDEX token_family_session_idx ON token_family (session);
CREATE INDEX token_family_person_idx ON token_family (person);
CREATE INDEX token_family_expires_at_idx ON token_family (expires_at);

CREATE TABLE authorization_code (
  digest bytea CONSTRAINT authorization_code_pkey PRIMARY KEY,
  family uuid NOT NULL CONSTRAINT authorization_code_family_fkey REFERENCES token_family ON DELETE CASCADE,
  redirect_uri text NOT NULL,
  nonce text,
  code_challenge text,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX authorization_code_family_idx ON authorization_code (family);

CREATE TABLE refresh_token (
  digest bytea CONSTRAINT refresh_token_pkey PRIMARY KEY,
  family uuid NOT NULL CONSTRAINT refresh_token_family_fkey REFERENCES token_family ON DELETE CASCADE,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  -- Used once already. Within a short grace it may be used again, by another tab; later that is theft.
  rotated_at timestamptz
);
CREATE INDEX refresh_token_family_idx ON refresh_token (family);

CREATE TABLE access_token (
  digest bytea CONSTRAINT access_token_pkey PRIMARY KEY,
  family uuid NOT NULL CONSTRAINT access_token_family_fkey REFERENCES token_family ON DELETE CASCADE,
  scope text[] NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX access_token_family_idx ON access_token (family);
CREATE INDEX access_token_expires_at_idx ON access_token (expires_at);

-- What a person has allowed a client of others to know.
CREATE TABLE consent (
  person uuid NOT NULL CONSTRAINT consent_person_fkey REFERENCES account ON DELETE CASCADE,
  client text NOT NULL CONSTRAINT consent_client_fkey REFERENCES client ON DELETE CASCADE,
  scope text[] NOT NULL,
  granted_at timestamptz NOT NULL,
  CONSTRAINT consent_pkey PRIMARY KEY (person, client)
);

-- A key is published from `created_at` on, signs from `activates_at` on, and is published until `retires_at`.
CREATE TABLE signing_key (
  kid text CONSTRAINT signing_key_pkey PRIMARY KEY,
  private_sealed bytea NOT NULL,
  created_at timestamptz NOT NULL,
  activates_at timestamptz NOT NULL,
  retires_at timestamptz
);
