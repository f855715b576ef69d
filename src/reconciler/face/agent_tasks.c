/* Implements agent_tasks.h. The report is hostile input. */
#include "reconciler/face/agent_tasks.h"

#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/face/agent_text.h"

/* The tasks of all of an instance's replicas, so that a message with the instance stays below
 * VARLINK_VALUES_MAX. */
#define INSTANCE_TASKS_MAX 4096
#define MESSAGE_MAX_       256 /* bytes */
#define STATUS_MAX_        256
#define REQUEST_MAX        64
#define ID_MIN             12 /* digits */
#define ID_MAX             64
#define READY_UNTIL_MAX    (APP_READY_TIMEOUT_MAX * 1000)

/* Returns the entry whose app_replica.json has this number as its deploy.revision, or NULL. */
static const struct record_revision *find_revision(const struct record *record, int64_t number)
{
    for (size_t i = 0; i < record->n_revisions; i++) {
        const struct record_revision *revision = record->revisions[i];
        const struct app_deploy *deploy = revision->manifest->app->deploy;
        if (number == (!record_is_zone(record) ? revision->revision : deploy ? deploy->revision : 0))
            return revision;
    }
    return NULL;
}

/* Returns the revision that the report's stages have. */
static const struct record_revision *revision_of(const struct record *record,
                                                 const struct reconciler_report_in *report, int64_t *ret)
{
    for (size_t i = 0; i < report->n_stages; i++) {
        *ret = report->stages[i]->revision;
        const struct record_revision *revision =
            streq_null(report->stages[i]->owner, "inagent") ? find_revision(record, *ret) : NULL;
        if (revision)
            return revision;
    }
    return NULL;
}

static bool is_task_name(const struct app_spec *spec, const char *name)
{
    for (size_t i = 0; name && i < spec->n_tasks; i++)
        if (streq_null(spec->tasks[i]->name, name))
            return true;
    return false;
}

static bool is_request(const char *id)
{
    size_t n = id ? strlen(id) : 0;
    return n > 0 && n <= REQUEST_MAX && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz-") == n;
}

static bool is_known(const struct record_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->n_tasks; i++)
        if (streq(agent->tasks[i]->name, name))
            return true;
    return false;
}

static bool is_valid(const struct app_task_status *task)
{
    return schema_enum_value(&app_task_state_enum, task->state) >= 0 && task->started >= 0 &&
           task->finished >= 0 && task->next >= 0 && task->runs >= 0 && task->exit_code >= 0 &&
           task->exit_code <= 255;
}

static void accept_task(struct record_agent *agent, const struct app_task_status *from, size_t *room)
{
    struct app_task_status *to = schema_append(&agent->tasks, &agent->n_tasks, sizeof *to);
    *to = (struct app_task_status){
        .name = xstrdup(from->name),
        .state = xstrdup(from->state),
        .started = from->started,
        .finished = from->finished,
        .exit_code = from->exit_code,
        .next = from->next,
        .runs = from->runs,
        .message = agent_text(from->message, MESSAGE_MAX_, room),
    };
    if (schema_enum_value(&app_task_trigger_enum, from->trigger) >= 0)
        to->trigger = xstrdup(from->trigger);
    if (!is_request(from->request) || from->request_exit_code < 0 || from->request_exit_code > 255 ||
        schema_enum_value(&app_request_state_enum, from->request_state) < 0)
        return;
    to->request = xstrdup(from->request);
    to->request_state = xstrdup(from->request_state);
    to->request_exit_code = from->request_exit_code;
    to->request_message = agent_text(from->request_message, MESSAGE_MAX_, room);
}

/* Returns a copy of the digits, or NULL if they are none, or too few or too many. */
static char *accept_digits(const char *text)
{
    size_t n = text ? strlen(text) : 0;
    return n >= ID_MIN && n <= ID_MAX && strspn(text, "0123456789abcdef") == n ? xstrdup(text) : NULL;
}

struct record_agent *agent_accept(const struct replica *replica, const struct reconciler_report_in *report,
                                  size_t *room)
{
    int64_t number;
    const struct record_revision *revision = revision_of(replica->instance->record, report, &number);
    if (!revision)
        return NULL;
    size_t max = INSTANCE_TASKS_MAX / replica->instance->n_replicas;
    struct record_agent *agent = xcalloc(1, sizeof *agent);
    agent->revision = number;
    agent->ready = report->ready;
    agent->status = agent_text(report->status, STATUS_MAX_, room);
    agent->container = accept_digits(report->container);
    agent->life = agent->container ? accept_digits(report->life) : NULL;
    if (report->ready_until > 0)
        agent->ready_until = report->ready_until < READY_UNTIL_MAX ? report->ready_until : READY_UNTIL_MAX;
    for (size_t i = 0; i < report->n_tasks && agent->n_tasks < max; i++) {
        const struct app_task_status *task = report->tasks[i];
        if (is_task_name(revision->manifest->app->spec, task->name) && is_valid(task) &&
            !is_known(agent, task->name))
            accept_task(agent, task, room);
    }
    return agent;
}
