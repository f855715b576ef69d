/* Tracks the stages of the contract, section 6, that inagent owns, and formats the report to hostlet.
 *
 * Pure functions: the caller passes events with their times (unix milliseconds) and reads 'changed'. */
#pragma once

#include <jansson.h>

#include "inagent/notify_message.h"
#include "inagent/plan.h"

enum stage_state { STAGE_NONE, STAGE_RUNNING, STAGE_SUCCESS, STAGE_FAILED };
enum stage_name { STAGE_BOOT, STAGE_LOAD, STAGE_TASKS, _STAGE_MAX };

struct stage {
    enum stage_state state; /* NONE: not part of the report */
    unsigned attempt;
    char message[256];
    /* Unix milliseconds; 0: not yet. 'begun': of the present attempt, if it is not the first one. */
    int64_t created, begun, finished;
};

struct stages {
    double revision; /* of their deploy; −1: none is known yet */
    struct stage stages[_STAGE_MAX];
    bool changed; /* since the owner last cleared it */
};

#define STAGES_INIT                                                                                          \
    {                                                                                                        \
        .revision = -1                                                                                       \
    }

/* Empties the list for another revision and starts with a new inagent_boot. */
void stages_set_revision(struct stages *stages, double revision, int64_t now);

void stages_set(struct stages *stages, enum stage_name name, enum stage_state state, const char *message,
                int64_t now);

/* Sets the stage task_run from all startup tasks together. A failed task that is retried counts as failed,
 * unless max_attempts leaves it an attempt. */
void stages_set_tasks(struct stages *stages, const struct plan *plan, int64_t now);

/* What the report says beside the stages: members that hostlet adds to the contract. */
struct application {
    /* The container's host name, by default the begin of its id, and random digits for this life of it: by
     * both hostlet knows an application's report from one of an earlier container, or of before a restart. */
    char container[65], life[33];
    bool ready;                         /* READY=1 arrived from the task with ready = "notify" */
    char status[NOTIFY_STATUS_MAX + 1]; /* its last STATUS= */
    int64_t
        ready_until; /* milliseconds after inagent's start until which it wants to have time; 0: not asked */
};

/* Returns the report as JSON, InagentStatusReport. Takes ownership of 'tasks', an array. The caller frees the
 * text. */
char *stages_report(const struct stages *stages, const struct application *application, json_t *tasks,
                    const char *instance, int64_t replica_id, int64_t now);
