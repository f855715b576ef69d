/* Replies to calls in place of a service that is down or failed, so that its callers get the reason at once
 * instead of waiting. */
#pragma once

#include "hostletd/service.h"

/* Replies to every call with ServiceDown and the reason. */
void service_answer_down(struct service *s);
void service_stop_answering(struct service *s);
