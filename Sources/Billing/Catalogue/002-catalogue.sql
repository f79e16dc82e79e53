-- Plans and their versions. A version is what was sold: it never changes, and a subscriber keeps hers until she is moved.

CREATE TABLE plan (
  id text NOT NULL,
  -- 'city', or the id of the tenant whose plan it is.
  owner text NOT NULL,
  published_at timestamptz NOT NULL,
  -- Since when it is no longer on sale; its versions stay.
  withdrawn_at timestamptz,
  CONSTRAINT plan_pkey PRIMARY KEY (id)
);

CREATE TABLE plan_version (
  plan text NOT NULL,
  version integer NOT NULL,
  document jsonb NOT NULL,
  -- SHA-256 of the document as it was written: the same document again is no new version.
  digest bytea NOT NULL,
  published_at timestamptz NOT NULL,
  CONSTRAINT plan_version_pkey PRIMARY KEY (plan, version),
  CONSTRAINT plan_version_plan_fkey FOREIGN KEY (plan) REFERENCES plan (id),
  CONSTRAINT plan_version_from_one CHECK (version >= 1),
  CONSTRAINT plan_version_digest_length CHECK (octet_length(digest) = 32)
);

CREATE TRIGGER plan_version_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON plan_version
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON plan_version FROM {role};
REVOKE DELETE, TRUNCATE ON plan FROM {role};
