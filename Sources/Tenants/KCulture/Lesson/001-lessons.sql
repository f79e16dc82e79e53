-- A step that a person has opened. It stays open for ever, whatever her plan is later.
CREATE TABLE opening (
  -- Also the key of the unit it took from her allowance: claimed before the unit is taken, so that a repeat takes none.
  id uuid CONSTRAINT opening_pkey PRIMARY KEY,
  person uuid NOT NULL,
  step text NOT NULL,
  claimed_at timestamptz NOT NULL,
  -- NULL until the unit is taken.
  opened_at timestamptz,
  CONSTRAINT opening_once UNIQUE (person, step)
);

-- One way through the exercises of a step.
CREATE TABLE lesson (
  -- Also the id of its statement in her learning record.
  id uuid CONSTRAINT lesson_pkey PRIMARY KEY,
  person uuid NOT NULL,
  step text NOT NULL,
  started_at timestamptz NOT NULL,
  completed_at timestamptz,
  -- Exercises answered rightly, and all of them, as the step was when the last one was answered.
  correct integer,
  total integer,
  -- Cards it added.
  added integer,
  CONSTRAINT lesson_completed_whole CHECK (
    (completed_at IS NULL AND correct IS NULL AND total IS NULL AND added IS NULL)
    OR (completed_at IS NOT NULL AND total > 0 AND correct BETWEEN 0 AND total AND added >= 0)
  )
);

-- A step is finished before it is begun again, whatever runs in parallel.
CREATE UNIQUE INDEX lesson_one_open ON lesson (person, step) WHERE completed_at IS NULL;
CREATE INDEX lesson_of_person ON lesson (person, step, completed_at);

-- Her answer to one exercise of a lesson: the first one stands.
CREATE TABLE answer (
  lesson uuid NOT NULL CONSTRAINT answer_lesson_fkey REFERENCES lesson (id) ON DELETE CASCADE,
  exercise integer NOT NULL CONSTRAINT answer_exercise_positive CHECK (exercise > 0),
  -- NULL: she did not know.
  given text CONSTRAINT answer_given_short CHECK (char_length(given) <= 100),
  correct boolean NOT NULL,
  answered_at timestamptz NOT NULL,
  CONSTRAINT answer_pkey PRIMARY KEY (lesson, exercise)
);
