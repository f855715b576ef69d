/* Fuzzes the report of an agent: every accepted report can be passed on, and the reconciler reads the same
 * values. */
#include "fuzz.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"
#include "rpc-gateway/agent_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reconciler_report_in in = {.secret = NULL}, again = {.secret = NULL};
    struct error e = ERROR_INIT;
    char *body = text_of(data, size);
    if (size <= AGENT_REPORT_MAX && agent_report_parse(body, size, &in) == AGENT_REPORT_OK) {
        const struct schema_struct *schema = varlink_find_method(&reconciler_interface, "AgentReport")->in;
        size_t length;
        must(!in.secret && in.instance_name && *in.instance_name);
        must(in.replica_id >= 0 && in.replica_id <= UINT32_MAX && in.n_stages <= AGENT_REPORT_STAGES_MAX);
        must(in.n_tasks <= AGENT_REPORT_TASKS_MAX);
        for (size_t i = 0; i < in.n_stages; i++)
            must(in.stages[i]->n_stages == 0 && in.stages[i]->n_attrs == 0);
        in.secret = xstrdup("secret");
        char *text = schema_pack_text(schema, &in, &length);
        must(schema_parse_text(schema, text, length, SCHEMA_STRICT, "the call", &again, &e) >= 0);
        must(schema_equal(schema, &in, &again));
        schema_done(schema, &again);
        free(text);
    }
    must(size > AGENT_REPORT_MAX || in.instance_name || (!in.stages && !in.secret));
    agent_report_done(&in);
    free(body);
    return 0;
}
