/* The instances of a leader's answer, each put to the reconciler when it is not what it was. */
#pragma once

#include "rpc-gateway/deliver.h"

/* Goes through the answer until a call is begun; false at its end. */
bool deliver_put_instances(struct deliver *d);
