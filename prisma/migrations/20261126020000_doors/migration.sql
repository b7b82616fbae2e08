-- Whether a back end in WeChat's cloud hosting may pass on the caller that WeChat names in its headers. Headers prove
-- nothing outside WeChat's own network, so an operator says for which apps they come from there.
ALTER TABLE app ADD COLUMN cloud_hosting boolean NOT NULL DEFAULT false;
