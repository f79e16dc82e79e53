-- A person of the city. Her e-mail is sealed; `email_hash`, a keyed hash of the normal form, finds her by it.
CREATE TABLE account (
  id uuid CONSTRAINT account_pkey PRIMARY KEY,
  email_sealed bytea NOT NULL,
  email_hash bytea NOT NULL CONSTRAINT account_email_hash_key UNIQUE,
  display_name text NOT NULL CONSTRAINT account_display_name_check CHECK (char_length(display_name) BETWEEN 1 AND 40),
  -- Argon2id in its encoded form, which carries its own salt and costs.
  password_hash text NOT NULL CONSTRAINT account_password_hash_check CHECK (password_hash LIKE '$argon2id$%'),
  locale text NOT NULL,
  state text NOT NULL DEFAULT 'active' CONSTRAINT account_state_check CHECK (state IN ('active', 'suspended')),
  verified_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL
);

-- Registrations that wait for the click in the mail. One for an e-mail that has an account is kept too, without a
-- password, so that both ways do the same work and "send again" works alike.
CREATE TABLE registration (
  id uuid CONSTRAINT registration_pkey PRIMARY KEY,
  token_digest bytea NOT NULL CONSTRAINT registration_token_digest_key UNIQUE,
  -- Binds the registration to the browser it was made in.
  browser_digest bytea NOT NULL CONSTRAINT registration_browser_digest_key UNIQUE,
  email_sealed bytea NOT NULL,
  email_hash bytea NOT NULL,
  display_name text NOT NULL,
  password_hash text,
  continue_path text,
  locale text NOT NULL,
  sent_count integer NOT NULL DEFAULT 1,
  sent_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX registration_email_hash_idx ON registration (email_hash);
CREATE INDEX registration_expires_at_idx ON registration (expires_at);

-- Failed attempts in fixed windows, by a keyed hash of whom or whence: neither can be read from here.
CREATE TABLE attempt (
  subject bytea NOT NULL,
  window_start timestamptz NOT NULL,
  count integer NOT NULL,
  CONSTRAINT attempt_pkey PRIMARY KEY (subject, window_start)
);

-- What a person may do where. `tenant` is a tenant's id, or `city`.
CREATE TABLE membership (
  person uuid NOT NULL CONSTRAINT membership_person_fkey REFERENCES account ON DELETE CASCADE,
  tenant text NOT NULL,
  role text NOT NULL,
  granted_at timestamptz NOT NULL,
  CONSTRAINT membership_pkey PRIMARY KEY (person, tenant, role)
);
CREATE INDEX membership_tenant_idx ON membership (tenant, role);
