-- The shared content library: written once, read by every tenant. A package's version is immutable: other content is
-- a higher version.

CREATE TABLE package (
  id text CONSTRAINT package_pkey PRIMARY KEY,
  version integer NOT NULL CONSTRAINT package_version_positive CHECK (version > 0),
  kind text NOT NULL,
  title jsonb NOT NULL,
  -- A SHA-256 chain over the package's files; tells whether a version's content was changed without a new number.
  digest bytea NOT NULL,
  loaded_at timestamptz NOT NULL
);

CREATE TABLE item (
  id text CONSTRAINT item_pkey PRIMARY KEY,
  package text NOT NULL CONSTRAINT item_package_fkey REFERENCES package (id),
  subject text NOT NULL,
  topic text NOT NULL,
  level text NOT NULL,
  difficulty double precision NOT NULL,
  discrimination double precision NOT NULL CONSTRAINT item_discrimination_positive CHECK (discrimination > 0),
  guess double precision NOT NULL CONSTRAINT item_guess_probability CHECK (guess >= 0 AND guess < 1),
  kind text NOT NULL CONSTRAINT item_kind_known CHECK (kind IN ('choice', 'number')),
  prompt jsonb NOT NULL,
  choices jsonb NOT NULL,
  answer text NOT NULL,
  explanation jsonb NOT NULL,
  -- An item that a newer version left out is not given any more, but answers to it can still be shown.
  withdrawn boolean NOT NULL DEFAULT false
);

CREATE INDEX item_selection ON item (package, topic, difficulty) WHERE NOT withdrawn;
