/* Implements runtime.h: the functions that both runtimes use. */
#include "container-driver/runtime.h"

#include "lib/schema/object.h"

void runtime_free(struct runtime *rt)
{
    if (rt)
        rt->ops->free(rt);
}

void runtime_answer(runtime_answer_fn answer, void *userdata, const struct error *e)
{
    struct runtime_result none = {0};
    answer(&none, e && e->errnum ? e : NULL, userdata);
}

void driver_container_free(struct driver_container *c)
{
    schema_free(&driver_container_schema, c);
}

void driver_image_free(struct driver_image *i)
{
    schema_free(&driver_image_schema, i);
}

void driver_info_done(struct driver_info_out *info)
{
    schema_done(varlink_find_method(&container_driver_interface, "Info")->out, info);
}

void driver_event_done(struct driver_event *event)
{
    schema_done(&driver_event_schema, event);
}
