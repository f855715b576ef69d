/* Implements agent_report.h. */
#include "rpc-gateway/agent_report.h"

#include <stdlib.h>

#include "lib/api/app.h"
#include "lib/schema/object.h"
#include "lib/schema/parse.h"

/* The secret is missing, because it arrives in a header: a member of this name is ignored as an unknown
 * one. */
#define T struct reconciler_report_in
static const struct schema_field report_fields[] = {
    S_STRING_OPT(T, instance_name, NULL),
    S_INT_OPT(T, replica_id, NULL),
    S_INT_OPT(T, updated, "Unix milliseconds."),
    S_STRUCTS(T, stages, struct app_stage, &app_stage_schema, NULL),
    S_STRUCTS(T, tasks, struct app_task_status, &app_task_status_schema, NULL),
    S_BOOL_OPT(T, ready, NULL),
    S_STRING_OPT(T, status, NULL),
    S_STRING_OPT(T, container, NULL),
    S_STRING_OPT(T, life, NULL),
    S_INT_OPT(T, ready_until, NULL),
    S_END,
};
static const struct schema_struct report_schema = {"InagentStatusReport", sizeof(T), NULL, report_fields};
#undef T

static void drop_nested(struct app_stage *stage)
{
    for (size_t i = 0; i < stage->n_stages; i++)
        schema_free(&app_stage_schema, stage->stages[i]);
    for (size_t i = 0; i < stage->n_attrs; i++) {
        free(stage->attrs[i].key);
        free(stage->attrs[i].value);
    }
    free(stage->stages);
    free(stage->attrs);
    stage->stages = NULL;
    stage->attrs = NULL;
    stage->n_stages = stage->n_attrs = 0;
}

enum agent_report_verdict agent_report_parse(const char *body, size_t size, struct reconciler_report_in *ret)
{
    struct reconciler_report_in report = {.secret = NULL};
    enum agent_report_verdict verdict = AGENT_REPORT_OK;
    if (size < 2 || schema_parse_text(&report_schema, body, size, 0, "the report", &report, NULL) < 0)
        return AGENT_REPORT_BAD;
    if (report.replica_id < 0 || report.replica_id > UINT32_MAX ||
        report.n_stages > AGENT_REPORT_STAGES_MAX || report.n_tasks > AGENT_REPORT_TASKS_MAX)
        verdict = AGENT_REPORT_BAD;
    else if (!report.instance_name || !*report.instance_name)
        verdict = AGENT_REPORT_NAMELESS;
    if (verdict != AGENT_REPORT_OK) {
        agent_report_done(&report);
        return verdict;
    }
    for (size_t i = 0; i < report.n_stages; i++)
        drop_nested(report.stages[i]);
    *ret = report;
    return AGENT_REPORT_OK;
}

void agent_report_done(struct reconciler_report_in *report)
{
    free(report->secret);
    report->secret = NULL;
    schema_done(&report_schema, report);
}
