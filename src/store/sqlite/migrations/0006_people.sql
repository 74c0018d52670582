-- Which devices a person sees, and for which a token is.

ALTER TABLE user ADD COLUMN sees TEXT NOT NULL DEFAULT 'house';
-- A JSON list of ids; without one, every device that the token's user sees.
ALTER TABLE token ADD COLUMN devices TEXT;
