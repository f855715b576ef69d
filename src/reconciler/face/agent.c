/* Implements agent.h. A report is hostile input: rpc-gateway has parsed it, and its contents are the
 * tenant's. */
#include "reconciler/face/agent.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/schema/object.h"
#include "reconciler/face/agent_tasks.h"
#include "reconciler/face/agent_text.h"
#include "reconciler/face/run_task.h"
#include "reconciler/model/agent.h"
#include "reconciler/model/secret.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/wish.h"

#define STAGES_MAX  32
#define NAME_MAX_   64
#define MESSAGE_MAX 2048
#define ATTEMPT_MAX 1000000000 /* readers compute with it */
/* Bytes of an instance's messages in JSON: one record and one reply have all of its stages. */
#define INSTANCE_MESSAGES_MAX ((size_t)2 << 20)

/* Reports whether a name such as "task_run" is valid and not one of hostlet's stages, with which a reader
 * that ignores the owner would confuse it. */
static bool is_stage_name(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n > 0 && n <= NAME_MAX_ && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n &&
           !STAGE_IS_OWN(schema_enum_value(&app_stage_name_enum, name));
}

/* Returns a copy of the stage with a message that fits into '*room', or NULL if the stage is of another owner
 * or revision or is not valid. */
static struct app_stage *accept_stage(const struct app_stage *from, int64_t revision, size_t *room)
{
    if (!streq_null(from->owner, "inagent") || from->revision != revision || !is_stage_name(from->name) ||
        schema_enum_value(&app_stage_state_enum, from->state) < 0 || from->attempt < 0 ||
        from->attempt > ATTEMPT_MAX || from->created < 0 || from->begun < 0 || from->finished < 0)
        return NULL;
    struct app_stage *stage = xcalloc(1, sizeof *stage);
    *stage = (struct app_stage){.name = xstrdup(from->name),
                                .owner = xstrdup(from->owner),
                                .revision = from->revision,
                                .state = xstrdup(from->state),
                                .attempt = from->attempt,
                                .created = from->created,
                                .begun = from->begun,
                                .finished = from->finished};
    stage->message = agent_text(from->message, MESSAGE_MAX, room);
    return stage;
}

int method_agent_report(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    struct manager *m = userdata;
    const struct reconciler_report_in *report = in;
    struct instance *instance = manager_find(m, report->instance_name);
    struct replica *r = instance ? instance_find_replica(instance, report->replica_id) : NULL;
    if (!secret_fits(m, r, report->secret))
        return error_set(e, ERROR_UNAUTHORIZED, EACCES, "no such replica, or not its secret");
    struct app_stage *kept[STAGES_MAX];
    size_t n = 0, room = INSTANCE_MESSAGES_MAX / (instance->n_replicas ?: 1);
    for (size_t i = 0; i < report->n_stages && n < STAGES_MAX; i++) {
        struct app_stage *stage = accept_stage(report->stages[i], instance_revision(instance), &room);
        bool known = false;
        for (size_t k = 0; stage && k < n; k++)
            known |= streq(kept[k]->name, stage->name);
        if (stage && known)
            schema_free(&app_stage_schema, stage);
        else if (stage)
            kept[n++] = stage;
    }
    struct record_agent *agent = agent_accept(r, report, &room);
    if (agent && !agent_may_report(r, agent)) {
        schema_free(&record_agent_schema, agent);
        for (size_t i = 0; i < n; i++)
            schema_free(&app_stage_schema, kept[i]);
        return error_retry(e, EAGAIN, "the container reported too many starts");
    }
    stages_of_agent(r, kept, n);
    run_task_reported(r, agent);
    if (agent)
        agent_set(r, agent);
    varlink_reply(call, NULL);
    return 0;
}
