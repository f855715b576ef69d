/* What hostlet is told of this container: the stages of the contract, section 6, as far as they are
 * inagent's.
 *
 * Pure: it is told what happened and when (unix milliseconds), and knows whether there is something to say.
 */
#pragma once

#include "inagent/plan.h"

enum stage_state { STAGE_NONE, STAGE_RUNNING, STAGE_SUCCESS, STAGE_FAILED };
enum stage_name { STAGE_BOOT, STAGE_LOAD, STAGE_TASKS, _STAGE_MAX };

struct stage {
    enum stage_state state; /* NONE: not part of the report */
    unsigned attempt;
    char message[256];
    int64_t created, finished; /* unix milliseconds; 0: not yet */
};

struct stages {
    double revision; /* of the deploy that they belong to; −1: none known yet */
    struct stage stages[_STAGE_MAX];
    bool changed; /* since the owner last cleared it */
};

#define STAGES_INIT                                                                                          \
    {                                                                                                        \
        .revision = -1                                                                                       \
    }

/* Another revision empties the list, and boots anew. */
void stages_set_revision(struct stages *stages, double revision, int64_t now);

void stages_set(struct stages *stages, enum stage_name name, enum stage_state state, const char *message,
                int64_t now);

/* task_run, of all startup tasks together. A task that failed and is tried again counts as failed, unless its
 * max_attempts leaves it a try. */
void stages_set_tasks(struct stages *stages, const struct plan *plan, int64_t now);

/* The report as JSON, InagentStatusReport; the caller frees. */
char *stages_report(const struct stages *stages, const char *instance, int64_t replica_id, int64_t now);
