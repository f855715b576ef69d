/* Implements services.h and the commands services, service start, stop and restart, and reload. */
#include "ctl/services.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/call.h"
#include "ctl/table.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

/* The supervisor waits for the service, with a time-out of its own. */
#define SERVICE_TIMEOUT_USEC (180 * USEC_PER_SEC)

/* Returns the schema of a service in the list, which the interface declares only in the reply of List. */
static const struct schema_struct *service_schema(void)
{
    return varlink_find_method(&supervisor_interface, "List")->out->fields[0].structure;
}

enum colour service_colour(int state)
{
    switch (state) {
    case SERVICE_READY:
    case SERVICE_LISTENING:
        return GREEN;
    case SERVICE_FAILED:
    case SERVICE_BACKOFF:
        return RED;
    case SERVICE_DOWN:
        return PLAIN;
    default:
        return YELLOW;
    }
}

static void append(const void *answer, void *userdata)
{
    const struct supervisor_list_out *out = answer;
    struct service_list *list = userdata;
    if (out->service)
        schema_copy(service_schema(), out->service,
                    schema_append(&list->items, &list->n_items, sizeof **list->items));
}

int service_list_read(const struct ctl *ctl, struct service_list *ret, struct error *e)
{
    return ctl_stream(ctl, &ctl_supervisor, "List", NULL, append, ret, e);
}

void service_list_done(struct service_list *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        schema_free(service_schema(), list->items[i]);
    free(list->items);
}

static void print_list(const struct service_list *list)
{
    struct table *t = table_new("SERVICE", "STATE", "PID", "UPTIME", "RESTARTS", "MEMORY", "LAST EXIT",
                                "DESCRIPTION", NULL);
    for (size_t i = 0; i < list->n_items; i++) {
        const struct supervisor_service *s = list->items[i];
        _cleanup_free_ char *uptime = format_duration(s->uptime_msec), *memory = format_size(s->memory);
        table_cell(t, PLAIN, "%s", s->name);
        table_cell_reason(t, service_colour(s->state), schema_enum_name(&service_state_enum, s->state),
                          s->reason);
        if (s->pid)
            table_cell(t, PLAIN, "%" PRId64, s->pid);
        else
            table_cell(t, PLAIN, "%s", "");
        table_cell(t, PLAIN, "%s", s->pid ? uptime : "");
        table_cell(t, s->restarts ? YELLOW : PLAIN, "%" PRId64, s->restarts);
        table_cell(t, PLAIN, "%s", s->memory ? memory : "");
        table_cell(t, PLAIN, "%s", s->last_exit ?: "");
        table_cell(t, DIM, "%s%s", s->description ?: "", s->on_demand ? " (on demand)" : "");
    }
    table_print(t, false);
}

int command_services(struct ctl *ctl)
{
    struct service_list list = {.n_items = 0};
    struct error e = ERROR_INIT;
    int r = service_list_read(ctl, &list, &e);
    if (r >= 0 && ctl->json) {
        json_t *array = json_array();
        for (size_t i = 0; i < list.n_items; i++)
            json_array_append_new(array, schema_pack(service_schema(), list.items[i]));
        print_json(array);
    } else if (r >= 0)
        print_list(&list);
    service_list_done(&list);
    return r < 0 ? ctl_fail(&e) : EXIT_OK;
}

static int order(struct ctl *ctl, const char *method, const char *done, const char *also_done)
{
    const struct supervisor_name_in in = {.name = ctl->arguments[0]};
    struct supervisor_order_out out = {.n_also = 0};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_supervisor, method, &in, &out, SERVICE_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    if (ctl->json) {
        json_t *also = json_array();
        for (size_t i = 0; i < out.n_also; i++)
            json_array_append_new(also, json_string(out.also[i]));
        print_json(json_pack("{s:s,s:s,s:o}", "service", in.name, "done", done, "also", also));
    } else {
        printf("%s: %s\n", in.name, done);
        for (size_t i = 0; i < out.n_also; i++)
            printf("%s: %s as well\n", out.also[i], also_done);
    }
    ctl_done(&ctl_supervisor, method, &out);
    return EXIT_OK;
}

int command_service_start(struct ctl *ctl)
{
    return order(ctl, "Start", "started", "started");
}

int command_service_stop(struct ctl *ctl)
{
    return order(ctl, "Stop", "stopped", "stopped");
}

int command_service_restart(struct ctl *ctl)
{
    return order(ctl, "Restart", "restarted", "started");
}

int command_reload(struct ctl *ctl)
{
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_supervisor, "Reload", NULL, NULL, SERVICE_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    if (ctl->json)
        print_json(json_pack("{s:s}", "done", "reloaded"));
    else
        printf("the configuration was read again\n");
    return EXIT_OK;
}
