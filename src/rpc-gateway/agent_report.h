/* Parses what an agent in a container posts: InagentStatusReport of the contract, and what
 * hostlet's agent adds to it: tasks, ready, status. The body is hostile. No function has a side effect. */
#pragma once

#include "lib/api/reconciler.h"

#define AGENT_REPORT_MAX        ((size_t)64 << 10)
#define AGENT_REPORT_STAGES_MAX 32
#define AGENT_REPORT_TASKS_MAX  1000

enum agent_report_verdict {
    AGENT_REPORT_OK,
    AGENT_REPORT_BAD,     /* not JSON, wrong types, a number as a string, or larger than any valid report */
    AGENT_REPORT_NAMELESS /* instance_name is missing */
};

/* Fills '*ret' (without the secret) only for AGENT_REPORT_OK; the caller releases it with
 * agent_report_done(). Unknown members are ignored; members that the zone would drop (attributes, stages
 * within stages) are dropped. */
enum agent_report_verdict agent_report_parse(const char *body, size_t size, struct reconciler_report_in *ret);
void agent_report_done(struct reconciler_report_in *report);
