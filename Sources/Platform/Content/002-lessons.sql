-- Lessons of the library, each one step of a path. What a step holds (explanations, exercises) is checked when a package is
-- read and kept as it was written: the module that teaches it reads it.
CREATE TABLE lesson (
  id text CONSTRAINT lesson_pkey PRIMARY KEY,
  package text NOT NULL CONSTRAINT lesson_package_fkey REFERENCES package (id),
  -- Its place on the path, from 1.
  position integer NOT NULL CONSTRAINT lesson_position_positive CHECK (position > 0),
  unit text NOT NULL,
  title jsonb NOT NULL,
  body jsonb NOT NULL,
  -- A lesson that a newer version left out is not given any more.
  withdrawn boolean NOT NULL DEFAULT false
);

CREATE INDEX lesson_path ON lesson (package, position) WHERE NOT withdrawn;
