-- Where a plan comes from: the configuration's file, or the console of its tenant. Publishing the file withdraws plans of
-- the file only.
ALTER TABLE plan ADD COLUMN origin text NOT NULL DEFAULT 'file';
ALTER TABLE plan ADD CONSTRAINT plan_origin_known CHECK (origin IN ('file', 'console'));
ALTER TABLE plan ADD CONSTRAINT plan_console_is_a_tenants CHECK (origin = 'file' OR owner <> 'city');
CREATE INDEX plan_owner_idx ON plan (owner);

-- From this day on those who hold an earlier version are moved to this one with their next renewal. None: they keep theirs.
ALTER TABLE plan_version ADD COLUMN holders_from date;

-- What an operator is writing: nothing is sold of it before it is published, and then it is gone.
CREATE TABLE plan_draft (
  plan text NOT NULL,
  owner text NOT NULL,
  document jsonb NOT NULL,
  saved_by text NOT NULL,
  saved_at timestamptz NOT NULL,
  CONSTRAINT plan_draft_pkey PRIMARY KEY (plan),
  CONSTRAINT plan_draft_owner_is_a_tenant CHECK (owner <> 'city')
);
CREATE INDEX plan_draft_owner_idx ON plan_draft (owner);
