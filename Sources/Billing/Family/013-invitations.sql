-- Invitations to a family's seats. The link's secret is kept as a digest; each is taken once.

CREATE TABLE invitation (
  id uuid NOT NULL,
  account uuid NOT NULL,
  token_digest bytea NOT NULL,
  -- What the owner calls her guest, for her own list.
  label text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  taken_by uuid,
  taken_at timestamptz,
  withdrawn_at timestamptz,
  CONSTRAINT invitation_pkey PRIMARY KEY (id),
  CONSTRAINT invitation_account_fkey FOREIGN KEY (account) REFERENCES billing_account (id),
  CONSTRAINT invitation_token_digest_key UNIQUE (token_digest),
  CONSTRAINT invitation_label_length CHECK (char_length(label) BETWEEN 1 AND 40),
  CONSTRAINT invitation_taken CHECK ((taken_by IS NULL) = (taken_at IS NULL)),
  CONSTRAINT invitation_ends_once CHECK (taken_at IS NULL OR withdrawn_at IS NULL)
);
CREATE INDEX invitation_account_idx ON invitation (account, created_at DESC);
REVOKE DELETE, TRUNCATE ON invitation FROM {role};
