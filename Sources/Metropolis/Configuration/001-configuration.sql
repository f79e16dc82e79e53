-- The city's file as it was applied, version by version. Nodes follow this, never the file.
CREATE TABLE configuration_version (
  version integer PRIMARY KEY,
  document text NOT NULL,
  digest bytea NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
