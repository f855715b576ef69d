/* Puts each changed instance of a leader's answer to the reconciler. */
#pragma once

#include "rpc-gateway/deliver.h"

/* Continues through the answer until a call has started. Returns false at the end of the answer. */
bool deliver_put_instances(struct deliver *d);
