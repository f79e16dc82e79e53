-- A generated column takes immutable functions only, and array_to_string is not declared so, as it serves any type. Of
-- text[] it depends on nothing but its arguments.
CREATE FUNCTION tag_text(tags text[]) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN pg_catalog.array_to_string(tags, ' ');
GRANT EXECUTE ON FUNCTION tag_text(text[]) TO {role};

CREATE TABLE question (
  id uuid CONSTRAINT question_pkey PRIMARY KEY,
  -- NULL once the author's account is erased.
  author uuid,
  title text NOT NULL,
  body text NOT NULL,
  category text NOT NULL
    CONSTRAINT question_category CHECK (category IN ('food', 'stay', 'traffic', 'play', 'life', 'weather', 'shopping', 'etc')),
  hashtags text[] NOT NULL DEFAULT '{}' CONSTRAINT question_hashtags CHECK (cardinality(hashtags) <= 5),
  place_name text,
  latitude double precision,
  longitude double precision,
  urgency text NOT NULL CONSTRAINT question_urgency CHECK (urgency IN ('normal', 'urgent')),
  -- 'deleted' is a blanked row that stays because others have answered it.
  state text NOT NULL DEFAULT 'open' CONSTRAINT question_state CHECK (state IN ('open', 'resolved', 'deleted')),
  accepted_answer uuid,
  accepted_at timestamptz,
  accepted_points bigint,
  answer_count integer NOT NULL DEFAULT 0 CONSTRAINT question_answer_count CHECK (answer_count >= 0),
  like_count integer NOT NULL DEFAULT 0 CONSTRAINT question_like_count CHECK (like_count >= 0),
  -- Goes up with every edit: two edits of one text don't overwrite each other unseen.
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  edited_at timestamptz,
  -- The first by somebody else: what the answer target is measured by.
  first_answer_at timestamptz,
  popularity integer GENERATED ALWAYS AS (answer_count + like_count) STORED,
  pressing boolean GENERATED ALWAYS AS (urgency = 'urgent' AND state = 'open') STORED,
  search text GENERATED ALWAYS AS (lower(title || ' ' || body || ' ' || tag_text(hashtags))) STORED,
  CONSTRAINT question_coordinates CHECK (
    (latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180),
  CONSTRAINT question_accepted CHECK (
    (accepted_answer IS NULL) = (accepted_at IS NULL) AND (accepted_answer IS NULL) = (accepted_points IS NULL)
    AND (state <> 'resolved' OR accepted_answer IS NOT NULL) AND (state <> 'open' OR accepted_answer IS NULL)),
  CONSTRAINT question_deleted CHECK (state <> 'deleted' OR (title = '' AND body = '' AND place_name IS NULL AND latitude IS NULL))
);

-- One index for each order of the list; the id parts equal times, so that a cursor names one place.
CREATE INDEX question_newest ON question (created_at, id) WHERE state <> 'deleted';
CREATE INDEX question_popular ON question (popularity, created_at, id) WHERE state <> 'deleted';
CREATE INDEX question_pressing ON question (pressing, created_at, id) WHERE state <> 'deleted';
CREATE INDEX question_in_category ON question (category, created_at, id) WHERE state <> 'deleted';
CREATE INDEX question_by_hashtag ON question USING gin (hashtags) WHERE state <> 'deleted';
CREATE INDEX question_by_author ON question (author, created_at) WHERE author IS NOT NULL;

-- Words of three syllables and more are found by trigram. Shorter ones have no trigram inside; for them PostgreSQL walks an
-- index above in order until the page is full. The operator class is where the extension is, which search_path needn't name.
DO $$
DECLARE
  place text := (
    SELECT quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_trgm');
BEGIN
  IF place IS NULL THEN RAISE EXCEPTION 'the extension pg_trgm is not in this database'; END IF;
  EXECUTE format('CREATE INDEX question_search ON question USING gin (search %s.gin_trgm_ops) WHERE state <> ''deleted''', place);
END $$;
