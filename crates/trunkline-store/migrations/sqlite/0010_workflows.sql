-- Workflows: definitions that runs began with, runs, their steps, what they wait for.

-- Runs go on with the text that they began with.
CREATE TABLE workflow_definition (
    revision  TEXT   NOT NULL PRIMARY KEY,
    workflow  TEXT   NOT NULL,
    source    TEXT   NOT NULL,
    loaded_at BIGINT NOT NULL
);

CREATE TABLE workflow_run (
    id          TEXT   NOT NULL PRIMARY KEY,
    workflow    TEXT   NOT NULL,
    revision    TEXT   NOT NULL REFERENCES workflow_definition (revision),
    -- What started it: an event, a time or a request. One of each starts a workflow once.
    trigger_key TEXT   NOT NULL,
    -- The event, as expressions see it.
    event       TEXT   NOT NULL,
    -- Whom it is about: an address and a contact, where that is known.
    person      TEXT,
    contact_id  TEXT,
    -- queued, running, waiting, done, compensated, failed, cancelled
    state       TEXT   NOT NULL,
    -- Grows with every change from outside of who works on it.
    version     BIGINT NOT NULL DEFAULT 0,
    replays     BIGINT NOT NULL DEFAULT 0,
    error_code  TEXT,
    error_node  TEXT,
    traceparent TEXT,
    -- When it has taken too long; none once it is over.
    due_at      BIGINT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    UNIQUE (workflow, trigger_key)
);
CREATE INDEX workflow_run_by_age ON workflow_run (created_at, id);
CREATE INDEX workflow_run_by_workflow ON workflow_run (workflow, created_at, id);
CREATE INDEX workflow_run_by_state ON workflow_run (state, created_at, id);
CREATE INDEX workflow_run_queued ON workflow_run (workflow, updated_at) WHERE state = 'queued';
CREATE INDEX workflow_run_due ON workflow_run (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX workflow_run_ended ON workflow_run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX workflow_run_by_contact ON workflow_run (contact_id) WHERE contact_id IS NOT NULL;

CREATE TABLE workflow_step (
    run_id     TEXT   NOT NULL REFERENCES workflow_run (id) ON DELETE CASCADE,
    node       TEXT   NOT NULL,
    -- pending, running, waiting, retrying, done, failed, skipped, cancelled
    state      TEXT   NOT NULL,
    -- Which way it went, if it has two: yes, no, event, time.
    branch     TEXT,
    attempts   BIGINT NOT NULL,
    -- When a wait is over, or the next try is due.
    due_at     BIGINT,
    -- What it came to, as JSON.
    output     TEXT,
    error_code TEXT,
    -- The far side's name for its effect.
    effect_id  TEXT,
    -- When its first try began.
    begun_at   BIGINT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (run_id, node)
);
CREATE INDEX workflow_step_due ON workflow_step (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX workflow_step_effect ON workflow_step (effect_id) WHERE effect_id IS NOT NULL;

-- What steps wait for: one row for each type of event. An empty `about` is any event of the type.
CREATE TABLE workflow_wait (
    event_type TEXT NOT NULL,
    about      TEXT NOT NULL,
    run_id     TEXT NOT NULL REFERENCES workflow_run (id) ON DELETE CASCADE,
    node       TEXT NOT NULL,
    PRIMARY KEY (event_type, about, run_id, node)
);
CREATE INDEX workflow_wait_by_step ON workflow_wait (run_id, node);

-- Events of types that some workflow waits for, kept for a short while: one may be faster than the wait for it.
CREATE TABLE workflow_fact (
    id         TEXT   NOT NULL PRIMARY KEY,
    event_type TEXT   NOT NULL,
    event      TEXT   NOT NULL,
    contact_id TEXT,
    noted_at   BIGINT NOT NULL
);
CREATE INDEX workflow_fact_by_time ON workflow_fact (noted_at);
CREATE INDEX workflow_fact_by_type ON workflow_fact (event_type, noted_at);
