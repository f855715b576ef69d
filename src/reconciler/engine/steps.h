/* Carrying out a step. */
#pragma once

#include "reconciler/model/instance.h"

extern const char *const reconciler_failpoints[];

void step_answer(const void *out, bool continues, const struct error *e,
                 void *replica); /* of the step's call */
void step_start(struct replica *replica, enum step step);
void step_request_done(struct replica *replica, const void *out, const struct error *e);
void step_finish(struct replica *replica); /* it succeeded: what is next? */
