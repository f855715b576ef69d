/* Implements agent.h. */
#include "reconciler/model/agent.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/readiness.h"

/* The runtime states the start of a container when its first process runs, which may have reported already.
 */
#define START_SLACK_MSEC 1000
/* Reports that cause work at once: so many in a row, and then one in each COSTLY_USEC, in which an inspection
 * ends and the replica's next step begins. */
#define COSTLY_AT_ONCE 20
#define COSTLY_USEC    (5 * USEC_PER_SEC)

static bool becomes_ready(const struct record_agent *known, const struct record_agent *agent)
{
    return agent->ready && !(known && known->ready);
}

/* Reports whether the report is of an earlier container, or of a life of this one that is over. */
static bool is_stale(const struct replica *replica, const struct record_agent *agent)
{
    const struct driver_container *c = &replica->seen.current;
    const struct record_agent *known = replica->record->agent;
    if (!agent->container)
        return false;
    return (c->state != DRIVER_MISSING && !readiness_is_of_container(agent, c)) ||
           (known && agent->life && streq_null(known->over, agent->life));
}

bool agent_may_report(struct replica *replica, const struct record_agent *agent)
{
    const struct record_agent *known = replica->record->agent;
    bool begins = agent->life && !(known && streq_null(known->container, agent->container) &&
                                   streq_null(known->life, agent->life));
    if (is_stale(replica, agent) || (!begins && !becomes_ready(known, agent)))
        return true;
    uint64_t now = replica_monotonic_usec(replica);
    if (replica->costly_reports < now)
        replica->costly_reports = now;
    if (replica->costly_reports >= now + COSTLY_AT_ONCE * COSTLY_USEC)
        return false;
    replica->costly_reports += COSTLY_USEC;
    return true;
}

/* Fills in what is known of the life that reports. */
static void set_life(const struct record_agent *known, struct record_agent *agent)
{
    if (!known || !streq_null(known->container, agent->container))
        return;
    bool same = streq_null(known->life, agent->life);
    agent->started = same ? known->started : 0;
    agent->over = xstrdup_null(same || !known->life ? known->over : known->life);
}

/* Writes the record before the caller gets its reply, if the application became ready while that is awaited:
 * a reconciler that is killed then knows it. */
static void save(const struct replica *replica, bool ready)
{
    const struct record_replica *r = replica->record;
    struct error e = ERROR_INIT;
    if (!ready || r->applied_revision == replica_target_revision(replica))
        store_save_sparingly(replica->instance);
    else if (store_save(replica->instance, &e) < 0) {
        log_warning("%s", e.message);
        store_save_soon(replica->instance);
    }
}

void agent_set(struct replica *replica, struct record_agent *agent)
{
    struct record_replica *r = replica->record;
    if (is_stale(replica, agent)) {
        schema_free(&record_agent_schema, agent);
        return;
    }
    agent->reported = replica_now_msec(replica);
    if (r->agent)
        r->agent->reported = agent->reported; /* no reason to save it */
    set_life(r->agent, agent);
    if (r->agent && schema_equal(&record_agent_schema, r->agent, agent)) {
        schema_free(&record_agent_schema, agent);
        return;
    }
    bool ready = becomes_ready(r->agent, agent);
    bool other_limit = agent->ready_until != (r->agent ? r->agent->ready_until : 0);
    bool decides = ready || (other_limit && r->applied_revision != replica_target_revision(replica));
    schema_free(&record_agent_schema, r->agent);
    r->agent = agent;
    save(replica, ready);
    /* The inspection shows since when this life lasts. */
    replica->seen.stale |= agent->life && agent->started == 0;
    if (decides || replica->seen.stale)
        replica_kick(replica);
    instance_reported(replica->instance);
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

static void end_life(struct replica *replica, struct record_agent *agent)
{
    if (agent->life) {
        free(agent->over);
        agent->over = TAKE_PTR(agent->life);
    }
    agent->ready = false;
    agent->started = agent->ready_until = 0;
    set_string(&agent->status, NULL);
    /* A container in a crash loop ends often. If this is lost, agent_seen() finds the same. */
    store_save_sparingly(replica->instance);
    instance_changed(replica->instance);
}

void agent_ended(struct replica *replica)
{
    struct record_agent *agent = replica->record->agent;
    bool known = agent && (agent->ready || agent->status || agent->life);
    /* A report of the next life can arrive before the event: the inspection shows whether it runs. */
    bool unsure = known && agent->life && agent->started == 0;
    if (known && !unsure)
        end_life(replica, agent);
}

void agent_seen(struct replica *replica)
{
    struct record_agent *agent = replica->record->agent;
    const struct driver_container *c = &replica->seen.current;
    /* If a report or an event arrived since this inspection began, the next one shows more. */
    if (!agent || replica->seen.stale)
        return;
    if (agent->container && !readiness_is_of_container(agent, c)) {
        agent_drop(replica);
        return;
    }
    bool up = driver_state_is_up((enum driver_state)c->state);
    bool other_start =
        agent->life ? agent->started != 0 && agent->started != c->started_at
                    : (agent->ready || agent->status) && agent->reported + START_SLACK_MSEC < c->started_at;
    if ((!up && (agent->life || agent->ready || agent->status)) || other_start) {
        end_life(replica, agent);
    } else if (up && agent->life && agent->started == 0) {
        agent->started = c->started_at;
        store_save_sparingly(replica->instance);
    }
}
