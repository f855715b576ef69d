/* Implements settings.h. */
#include "reconciler/model/settings.h"

#define SECTION "reconciler"

void settings_read(struct settings *s, const struct config *config)
{
    *s = (struct settings){
        .retry = {.first_usec = config_duration(config, SECTION, "retry_min"),
                  .most_usec = config_duration(config, SECTION, "retry_max")},
        .parallel_first = config_number(config, SECTION, "parallel_first"),
        .parallel_update = config_number(config, SECTION, "parallel_update"),
        .stop_timeout_msec = (int64_t)(config_duration(config, SECTION, "stop_timeout") / USEC_PER_MSEC),
        .probation_msec = config_duration(config, SECTION, "probation") / USEC_PER_MSEC,
        .quota_required = streq(config_string(config, SECTION, "quota"), "required"),
        .keep_packages = config_bool(config, SECTION, "keep_packages"),
        .overcommit = config_string(config, SECTION, "overcommit"),
        .unassigned = config_string(config, SECTION, "unassigned"),
    };
    config_range(config, SECTION, "host_ports", &s->first_port, &s->last_port);
}
