-- Which devices a person sees, and for which a token is.

ALTER TABLE person ADD COLUMN sees text COLLATE "C" NOT NULL DEFAULT 'house' CHECK (sees IN ('house', 'own'));
-- A JSON list of ids; without one, every device that the token's user sees.
ALTER TABLE token ADD COLUMN devices text;
