-- Accounts without an e-mail, under another person's care: a child in a family. Such a one signs in by a name.
ALTER TABLE account
  ALTER COLUMN email_sealed DROP NOT NULL,
  ALTER COLUMN email_hash DROP NOT NULL,
  -- What was verified is the e-mail.
  ALTER COLUMN verified_at DROP NOT NULL,
  -- In normal form: lower case. No name is an e-mail, for it holds no @.
  ADD COLUMN sign_in_name text CONSTRAINT account_sign_in_name_key UNIQUE
    CONSTRAINT account_sign_in_name_check CHECK (sign_in_name ~ '^[a-z][a-z0-9._-]{3,29}$'),
  -- Who made the account and may set its password. When the guardian is erased, the account stays: it has a record of its own.
  ADD COLUMN guardian uuid CONSTRAINT account_guardian_fkey REFERENCES account ON DELETE SET NULL,
  ADD CONSTRAINT account_guardian_check CHECK (guardian <> id),
  ADD CONSTRAINT account_email_check CHECK (
    (email_sealed IS NULL) = (email_hash IS NULL) AND (email_hash IS NULL) = (verified_at IS NULL)),
  ADD CONSTRAINT account_name_check CHECK (email_hash IS NOT NULL OR sign_in_name IS NOT NULL);

CREATE INDEX account_guardian_idx ON account (guardian) WHERE guardian IS NOT NULL;
