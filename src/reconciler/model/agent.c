/* Implements agent.h. */
#include "reconciler/model/agent.h"

#include "lib/schema/object.h"
#include "reconciler/model/store.h"

/* The runtime states the start of a container when its first process runs, which may have reported already.
 */
#define START_SLACK_MSEC 1000

void agent_set(struct replica *replica, struct record_agent *agent)
{
    struct record_replica *r = replica->record;
    agent->reported = replica_now_msec(replica);
    if (r->agent)
        r->agent->reported = agent->reported; /* no reason to save it */
    if (r->agent && schema_equal(&record_agent_schema, r->agent, agent)) {
        schema_free(&record_agent_schema, agent);
        return;
    }
    schema_free(&record_agent_schema, r->agent);
    r->agent = agent;
    store_save_sparingly(replica->instance);
    instance_changed(replica->instance);
}

void agent_drop(struct replica *replica)
{
    if (!replica->record->agent)
        return;
    schema_free(&record_agent_schema, replica->record->agent);
    replica->record->agent = NULL;
    store_save_soon(replica->instance);
    instance_changed(replica->instance);
}

void agent_ended(struct replica *replica)
{
    struct record_agent *agent = replica->record->agent;
    if (!agent || (!agent->ready && !agent->status))
        return;
    agent->ready = false;
    set_string(&agent->status, NULL);
    /* A container in a crash loop ends often. If this is lost, agent_seen() finds the same. */
    store_save_sparingly(replica->instance);
    instance_changed(replica->instance);
}

void agent_seen(struct replica *replica)
{
    const struct record_agent *agent = replica->record->agent;
    const struct driver_container *c = &replica->seen.current;
    if (agent && (!driver_state_is_up((enum driver_state)c->state) ||
                  agent->reported + START_SLACK_MSEC < c->started_at))
        agent_ended(replica);
}
