/* What to do next with one replica: a pure function of what is wanted, what the journal says and what the
 * runtime shows.
 *
 * It is asked again after every step and every event, also by a reconciler that just started: a step is never
 * remembered, so that any process may die between any two of them. */
#pragma once

#include "lib/api/container_driver.h"

enum want { WANT_RUN, WANT_STOP, WANT_GONE, WANT_NOTHING /* as it is, whatever it is */ };

enum step {
    STEP_SETTLED,   /* as wanted */
    STEP_WAIT,      /* for the preparation, for its turn in the rollout, for the runtime */
    STEP_CONFLICT,  /* the name is taken by something that is not ours */
    STEP_PREPARE,   /* the revision's image and packages are to be there first */
    STEP_PROBATION, /* wait until it has stayed up long enough */
    STEP_HOLD,      /* restart policy "no", so that the runtime does not revive what we stop */
    STEP_STOP,
    STEP_PUT_ASIDE, /* rename the current one to .old */
    STEP_PROVISION,
    STEP_QUOTA, /* also of one that runs on */
    STEP_CREATE,
    STEP_START,
    STEP_COMMIT,       /* it proved itself: write that down */
    STEP_KEEP,         /* restart policy "always" */
    STEP_REMOVE_OLD,   /* the one put aside */
    STEP_FAIL,         /* the new one did not stay up: begin to undo */
    STEP_REMOVE_NEW,   /* undo: the current one goes */
    STEP_BRING_BACK,   /* undo: .old gets its name back */
    STEP_RESTORE,      /* undo: files of the old revision */
    STEP_REVIVE,       /* undo: start the old one */
    STEP_UNDONE,       /* the undoing is complete: write that down */
    STEP_UPDATE_FILES, /* app_replica.json of a container that runs on */
    STEP_REMOVE_DATA,  /* quota and directory of a replica that is gone */
    STEP_GONE,         /* nothing is left of it */
    _STEP_MAX
};

struct decision_input {
    enum want want;
    /* What the runtime shows; state DRIVER_MISSING for none. */
    const struct driver_container *current, *old;
    int64_t
        target_revision; /* that shall run now: the desired one, or the applied one after its switch failed */
    const char
        *target_config; /* what a container of it carries as its label; NULL: not known, not compared */
    int64_t applied_revision;
    bool rolling_back;
    bool drifted;      /* the current container's limits or ports are not those it was made with */
    bool prepared;     /* image and packages of the target are there */
    bool turn;         /* the rollout lets this replica begin a switch */
    bool quota_raises; /* the limit grows: what is full has room again before anything is written */
    bool quota_set, provisioned, restored; /* done by this process since the last start of a container */
    bool has_data;                         /* init = inagent: quota, directory and files */
    bool data_removed;
    bool update_files;
    bool probation_over; /* it has been running long enough */
};

enum step decide(const struct decision_input *in);
