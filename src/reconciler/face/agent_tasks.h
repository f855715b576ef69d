/* Accepts what an agent's report contains beside stages. */
#pragma once

#include "reconciler/model/instance.h"

/* Returns what is valid of the report, or NULL if no stage of inagent has a revision of the replica's: then
 * it is not known which tasks it means. '*room' is as of agent_text(). The caller frees it, or passes it
 * to agent_set(). */
struct record_agent *agent_accept(const struct replica *replica, const struct reconciler_report_in *report,
                                  size_t *room);
