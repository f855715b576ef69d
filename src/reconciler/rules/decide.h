/* Decides the next step of one replica, from the desired state, the journal and what the runtime shows.
 *
 * The engine calls decide() after every step and every event. No step in progress is stored, so that a
 * process that is killed between two steps, or in one, continues when it starts again.
 *
 * A rollback begins in one of three places. All of them end in journal_begin_undo(), which sets rolling_back:
 * - decide() returns STEP_FAIL: the new container exited or is restarting before its revision was applied,
 * and no request stopped it; or its application was to report that it is ready, and did not in time.
 * - step_failed() in engine/steps.c: the call of a step that brings the new container up failed and is not
 *   retried.
 * - wait_for_preparation() in engine/waits.c: a preparation failed while the old container is put aside.
 * From then on decide() returns the steps of the rollback. */
#pragma once

#include "lib/api/container_driver.h"
#include "reconciler/rules/readiness.h"

/* The desired state of a replica. */
enum want {
    WANT_RUN,
    WANT_STOP,
    WANT_GONE,
    WANT_NOTHING, /* it is left unchanged */
};

enum step {
    STEP_SETTLED,   /* the actual state is the desired one */
    STEP_WAIT,      /* for the replica's turn, or purges of other replicas */
    STEP_REMOVING,  /* wait until the runtime has removed the current container */
    STEP_CONFLICT,  /* a container that does not belong to this tree has the name */
    STEP_PREPARE,   /* wait until the target's image and packages are on this machine */
    STEP_AWAIT,     /* keep the applied revision while the desired one is prepared */
    STEP_PROBATION, /* wait until the container has stayed up long enough */
    STEP_HOLD,      /* set the restart policy "no": the runtime must not restart what is stopped next */
    STEP_STOP,
    STEP_PUT_ASIDE, /* rename the current container to .old */
    STEP_PROVISION, /* make the directory and its files */
    STEP_QUOTA,     /* set the limit of disk space, also while the container runs */
    STEP_LIMITS,    /* set the limits of CPU, memory and processes, also while the container runs */
    STEP_COPY,      /* copy what the old container has in anonymous volumes; destroy: before it is removed */
    STEP_CREATE,
    STEP_START,
    STEP_COMMIT,       /* the probation is over: record the revision as applied */
    STEP_KEEP,         /* set the restart policy "always" */
    STEP_REMOVE_OLD,   /* remove the container .old */
    STEP_REMOVE_DEAD,  /* remove the current container, which the runtime failed to remove before */
    STEP_FAIL,         /* the new container exited or is not ready: record that a rollback begins */
    STEP_REMOVE_NEW,   /* rollback, destroy: remove the current container */
    STEP_BRING_BACK,   /* rollback: rename .old to the current name */
    STEP_RESTORE,      /* rollback: write the files of the applied revision */
    STEP_REVIVE,       /* start the current container again */
    STEP_UNDONE,       /* record that the rollback is complete */
    STEP_UPDATE_FILES, /* write app_replica.json of a running container */
    STEP_RENAME_BACK,  /* rename a container that another program renamed to the current name */
    STEP_RENAME_OLD,   /* rename it to .old */
    STEP_RENAME_ASIDE, /* rename it to a name that no replica needs */
    STEP_REMOVE_RENAMED,
    STEP_REMOVE_DATA, /* remove quota and directory of a replica without containers */
    STEP_GONE,        /* no object of the replica is left */
    _STEP_MAX
};

struct decision_input {
    enum want want;
    /* The containers; state DRIVER_MISSING: none. */
    const struct driver_container *current, *old;
    /* A container of the replica that another program renamed; NULL: none. */
    const struct driver_container *renamed;
    bool renamed_in_way;       /* its name is one that another replica needs */
    int64_t target_revision;   /* see replica_target_revision() in model/wish.h */
    const char *target_config; /* the label of a container of it; NULL: not compared */
    int64_t applied_revision;
    bool was_stopped;  /* the current container is down since the replica was not to run */
    bool rolling_back; /* the journal has a switch that is being rolled back */
    bool drifted;      /* the current container is to be recreated for drift (rules/drift.h) */
    bool prepared;     /* image and packages of the target are on this machine */
    bool turn;         /* the rollout permits this replica to begin a switch (rules/rollout.h) */
    /* STEP_AWAIT or STEP_WAIT: the target is the applied revision until the desired one is prepared, or until
     * the replica's turn. STEP_SETTLED: the target is final. */
    enum step until;
    bool patient;      /* that, or the target's preparation, may end soon: nothing is started before it */
    bool bring_back;   /* the container that was put aside is not needed by a switch in progress */
    bool limits_due;   /* the current container has other limits of CPU, memory or processes */
    bool quota_raises; /* the new limit is larger than the one that is set */
    bool quota_set;    /* these steps were done by this process, and need no repetition */
    bool provisioned;
    bool restored;
    bool has_data; /* the replica has a directory with files and quota */
    bool data_removed;
    /* The container has anonymous volumes whose content is to be kept and is not in the replica's directory.
     */
    bool current_unsaved, old_unsaved;
    bool update_files;   /* app_replica.json is out of date */
    bool probation_over; /* the container has run for the probation */
    /* Of the current container; unless it is unused, it replaces the probation. */
    enum readiness readiness;
};

enum step decide(const struct decision_input *in);
