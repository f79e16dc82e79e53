-- Where a version was written, and by whom: an operator may change a plan of the file that is her tenant's in the console,
-- and the file's next publication must know which of them came last.
ALTER TABLE plan_version ADD COLUMN origin text NOT NULL DEFAULT 'file';
ALTER TABLE plan_version ADD CONSTRAINT plan_version_origin_known CHECK (origin IN ('file', 'console'));
ALTER TABLE plan_version ADD COLUMN published_by text;
