/* What an agent in a container posts, InagentStatusReport of the contract. Pure: a hostile body in, a struct
 * out. */
#pragma once

#include "lib/api/reconciler.h"

#define AGENT_REPORT_MAX        ((size_t)64 << 10)
#define AGENT_REPORT_STAGES_MAX 32

enum agent_report_verdict {
    AGENT_REPORT_OK,
    AGENT_REPORT_BAD,     /* no JSON, wrong types, a number as a string, more than anyone has to say */
    AGENT_REPORT_NAMELESS /* without instance_name */
};

/* Into '*ret' (without the secret), to be released by agent_report_done(); only where it is OK. Unknown
 * members are ignored; what the zone would drop (attributes, stages within stages) is dropped here. */
enum agent_report_verdict agent_report_parse(const char *body, size_t size, struct reconciler_report_in *ret);
void agent_report_done(struct reconciler_report_in *report);
