/* Implements decide.h. */
#include "reconciler/rules/decide.h"

static bool exists(const struct driver_container *c)
{
    return c && c->state != DRIVER_MISSING;
}

/* Reports whether a container exists that can be used again. One that the runtime is removing, or failed to
 * remove, only occupies its name. */
static bool is_usable(const struct driver_container *c)
{
    return exists(c) && !driver_state_is_lost(c->state);
}

/* Returns the next step while the current container is lost. */
static enum step clear_current(const struct driver_container *c)
{
    return c->state == DRIVER_REMOVING ? STEP_REMOVING : STEP_REMOVE_DEAD;
}

/* Returns the step that removes one of two containers, of which the one of the applied revision is kept. */
static enum step keep_applied(const struct decision_input *in)
{
    return in->applied_revision != 0 && in->current->revision == in->applied_revision ? STEP_REMOVE_OLD
                                                                                      : STEP_REMOVE_NEW;
}

/* Returns the next step to stop a container for good: first the restart policy, so that the runtime does not
 * restart it. STEP_SETTLED: it is down. */
static enum step bring_down(const struct driver_container *c)
{
    if (c->restart == DRIVER_RESTART_ALWAYS)
        return STEP_HOLD;
    return driver_state_is_up(c->state) ? STEP_STOP : STEP_SETTLED;
}

/* Reports whether a container that was put aside runs, which none does in a switch: another program renamed
 * the current one, or started it. */
static bool old_runs_alone(const struct decision_input *in)
{
    return !exists(in->current) && exists(in->old) && in->old->ours &&
           driver_state_is_up((enum driver_state)in->old->state);
}

/* Returns the next step for a renamed container; STEP_SETTLED: none is possible before another
 * program has freed the name, or none is needed now. */
static enum step decide_renamed(const struct decision_input *in)
{
    bool gone = in->want == WANT_GONE;
    if (driver_state_is_lost((enum driver_state)in->renamed->state))
        return gone ? STEP_REMOVE_RENAMED : STEP_SETTLED;
    if (!exists(in->current))
        return STEP_RENAME_BACK; /* it runs on */
    if (!in->current->ours)
        return gone ? STEP_REMOVE_RENAMED : in->renamed_in_way ? STEP_RENAME_ASIDE : STEP_SETTLED;
    return exists(in->old) ? STEP_REMOVE_RENAMED : STEP_RENAME_OLD;
}

static enum step decide_gone(const struct decision_input *in)
{
    if (old_runs_alone(in)) /* it is stopped first, which is done by its own name */
        return STEP_BRING_BACK;
    if (exists(in->current) && in->current->ours && driver_state_is_lost(in->current->state))
        return clear_current(in->current);
    if (exists(in->current) && in->current->ours) {
        enum step down = bring_down(in->current);
        if (down != STEP_SETTLED)
            return down;
        return in->current_unsaved ? STEP_COPY : STEP_REMOVE_NEW;
    }
    if (exists(in->old) && in->old->ours)
        return is_usable(in->old) && in->old_unsaved ? STEP_COPY : STEP_REMOVE_OLD;
    /* Earlier revisions may have had data, even if the current one has none. */
    return in->data_removed ? STEP_GONE : STEP_REMOVE_DATA;
}

/* Returns the next step of a rollback. */
static enum step decide_undo(const struct decision_input *in)
{
    const struct driver_container *current = in->current;
    bool is_old = exists(current) && !is_usable(in->old) && in->applied_revision != 0 &&
                  current->revision == in->applied_revision;
    if (exists(current) && driver_state_is_lost(current->state))
        return clear_current(current);
    /* An application that was not ready in time runs, and is asked to end before it is removed. */
    if (exists(current) && !is_old)
        return current->state == DRIVER_RUNNING && current->restart == DRIVER_RESTART_NO ? STEP_STOP
                                                                                         : STEP_REMOVE_NEW;
    if (is_usable(in->old))
        return STEP_BRING_BACK;
    if (!exists(current) || in->want != WANT_RUN)
        return STEP_UNDONE;
    if (in->has_data && !in->restored && !driver_state_is_up(current->state))
        return STEP_RESTORE;
    if (!driver_state_is_up(current->state))
        return STEP_REVIVE;
    return current->restart != DRIVER_RESTART_ALWAYS ? STEP_KEEP : STEP_UNDONE;
}

static enum step decide_stop(const struct decision_input *in)
{
    /* A switch is in progress: the container of the applied revision is kept. */
    if (is_usable(in->old))
        return exists(in->current) ? keep_applied(in) : STEP_BRING_BACK;
    return exists(in->current) ? bring_down(in->current) : STEP_SETTLED;
}

/* Returns the next step before a container is created or started. STEP_SETTLED: all are done. */
static enum step make_ready(const struct decision_input *in)
{
    /* The directory is made first, since the quota is set on it; no container runs in it before both are
     * done. A larger limit is set before files are written, since the directory may be full. */
    if (in->has_data && in->quota_raises && !in->quota_set)
        return STEP_QUOTA;
    if (in->has_data && !in->provisioned)
        return STEP_PROVISION;
    if (in->has_data && !in->quota_set)
        return STEP_QUOTA;
    return STEP_SETTLED;
}

/* Reports whether a replica waits for its desired revision rather than start or repair the applied one for a
 * moment. A container with the policy "always" went down by itself, and is started at once. */
static bool waits_for_desired(const struct decision_input *in)
{
    return in->until != STEP_SETTLED && in->patient &&
           (driver_state_is_up(in->current->state) || in->current->restart != DRIVER_RESTART_ALWAYS);
}

/* Returns the next step while the current container runs and its revision is not applied yet. */
static enum step decide_probation(const struct decision_input *in)
{
    if (in->current->state == DRIVER_PAUSED) /* it can neither prove itself nor fail */
        return STEP_PROBATION;
    switch (in->readiness) {
    case READINESS_READY:
        return STEP_COMMIT;
    case READINESS_AWAITED:
        return STEP_PROBATION;
    case READINESS_LATE:
        return STEP_FAIL;
    case READINESS_UNUSED:
        break;
    }
    return in->probation_over ? STEP_COMMIT : STEP_PROBATION;
}

/* Returns the next step if the current container is of the target revision. */
static enum step decide_current(const struct decision_input *in)
{
    const struct driver_container *c = in->current;
    bool committed = in->applied_revision == in->target_revision;
    if ((c->state == DRIVER_EXITED || c->state == DRIVER_RESTARTING) && !committed && !in->was_stopped)
        return STEP_FAIL;
    if (!driver_state_is_up(c->state)) {
        if (waits_for_desired(in))
            return in->until;
        enum step ready = make_ready(in);
        if (ready != STEP_SETTLED)
            return ready;
        return in->limits_due ? STEP_LIMITS : STEP_START;
    }
    /* On probation, too: more memory can be what the container needs. */
    if (in->limits_due)
        return STEP_LIMITS;
    if (!committed)
        return decide_probation(in);
    if (c->restart != DRIVER_RESTART_ALWAYS)
        return STEP_KEEP;
    if (is_usable(in->old))
        return STEP_REMOVE_OLD;
    if (waits_for_desired(in))
        return in->until; /* the next container needs files and a limit of its own */
    /* The file and the limit of a running container are updated in place: the limit once by each process and
     * when it changed. A larger limit is set before the file is written, a lower one after it. */
    if (in->has_data && in->update_files && (in->quota_set || !in->quota_raises))
        return STEP_UPDATE_FILES;
    if (in->has_data && !in->quota_set)
        return STEP_QUOTA;
    /* Lost containers are removed last, since that may fail for long, and the container runs. */
    if (exists(in->old))
        return STEP_REMOVE_OLD;
    return exists(in->renamed) ? STEP_REMOVE_RENAMED : in->until;
}

/* Returns the next step while the container that is to be replaced stays: its replacement is not prepared, or
 * the replica has no turn. */
static enum step decide_until_switch(const struct decision_input *in)
{
    const struct driver_container *c = in->current;
    bool always = c->restart == DRIVER_RESTART_ALWAYS;
    /* What is down with the policy "always" is to run. What was stopped is started again if the replacement
     * cannot be prepared. */
    bool kept =
        !in->prepared && !in->patient && in->applied_revision != 0 && c->revision == in->applied_revision;
    if (!driver_state_is_up(c->state) && (always || kept))
        return STEP_REVIVE;
    if (kept && !always)
        return STEP_KEEP;
    return in->prepared ? STEP_WAIT : STEP_PREPARE;
}

/* Returns the next step if the current container is to be replaced: it is of another revision, or of an
 * attempt that a newer desired state has overtaken. */
static enum step decide_switch(const struct decision_input *in)
{
    const struct driver_container *c = in->current;
    if (is_usable(in->old))
        return keep_applied(in);
    if (waits_for_desired(in))
        return in->until;
    if (!in->prepared || !in->turn)
        return decide_until_switch(in);
    if (exists(in->old)) /* the name is needed: nothing is stopped before it is free */
        return STEP_REMOVE_OLD;
    enum step down = bring_down(c);
    return down == STEP_SETTLED ? STEP_PUT_ASIDE : down;
}

/* Returns the next step if there is no current container. */
static enum step decide_missing(const struct decision_input *in)
{
    bool aside = is_usable(in->old);
    if (aside && in->bring_back && in->old->revision == in->target_revision)
        return STEP_BRING_BACK;
    if (!aside && in->patient && in->until != STEP_SETTLED)
        return in->until;
    if (!in->prepared)
        return STEP_PREPARE;
    /* If a container was put aside, the replica is down already and continues without a turn. */
    if (!in->turn && !aside)
        return STEP_WAIT;
    enum step ready = make_ready(in);
    if (ready != STEP_SETTLED)
        return ready;
    return aside && in->old_unsaved ? STEP_COPY : STEP_CREATE;
}

enum step decide(const struct decision_input *in)
{
    if (in->want == WANT_NOTHING)
        return STEP_SETTLED;
    enum step renamed = exists(in->renamed) ? decide_renamed(in) : STEP_SETTLED;
    if (renamed != STEP_SETTLED)
        return renamed;
    if (in->want == WANT_GONE)
        return decide_gone(in);
    if ((exists(in->current) && !in->current->ours) || (exists(in->old) && !in->old->ours))
        return STEP_CONFLICT;
    if (old_runs_alone(in))
        return STEP_BRING_BACK;
    bool lost = exists(in->current) && driver_state_is_lost(in->current->state);
    /* A lost container does not run, and is removed before the next start. */
    if (lost && in->want == WANT_STOP)
        return STEP_SETTLED;
    if (in->rolling_back)
        return decide_undo(in);
    if (in->want == WANT_STOP)
        return decide_stop(in);
    if (lost)
        return clear_current(in->current);
    if (!exists(in->current))
        return decide_missing(in);
    /* The configuration of an adopted container is not known and not compared. */
    bool compared = in->target_config && !in->current->adopted;
    bool matches = in->current->revision == in->target_revision && !in->drifted &&
                   (!compared || streq_null(in->current->config, in->target_config));
    return matches ? decide_current(in) : decide_switch(in);
}
